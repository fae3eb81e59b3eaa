/** Started by a test: drains a queue as one of several workers, and prints the ids of what it settled. */
import { openStore } from "../../../src/store/index.ts";

const [location = "", worker = ""] = process.argv.slice(2);
await using store = await openStore(location);
const settled: string[] = [];
for (;;) {
  const claims = await store.claim({ queues: ["q"], n: 7, leaseMs: 60_000, worker });
  if (claims.length === 0) break;
  const { lost } = await store.settle(
    claims.map(({ id, fence }) => ({ id, fence, result: { state: "succeeded", value: worker } })),
  );
  if (lost.length > 0) throw new Error(`Lost ${lost.join()} within its lease.`);
  for (const { id } of claims) settled.push(id);
}
process.stdout.write(JSON.stringify(settled));
