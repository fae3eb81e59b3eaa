/** A worker of the run, killed by it at any moment. */
import { startWorker } from "../../../src/tasks/index.ts";
import { perhapsBroken } from "./broken.ts";
import { ownHistory } from "./history.ts";
import { openPatiently } from "./open-patiently.ts";
import { recording } from "./recording.ts";
import { tasks } from "./work.ts";

/** What a worker is told, as JSON. */
export interface WorkerOrders {
  readonly address: string;
  readonly leaseMs: number;
  readonly prefetch: number;
  readonly poisonAfter: number;
}

const { address, leaseMs, prefetch, poisonAfter } = JSON.parse(process.argv[2] ?? "") as WorkerOrders;
const store = await openPatiently(address);
const worker = await startWorker({
  store: recording(perhapsBroken(store), ownHistory()),
  tasks: Object.values(tasks),
  queues: { light: 6, heavy: 4, rated: 4, child: 2 },
  lease: leaseMs,
  prefetch,
  poisonAfter,
  onError: (error) => process.stderr.write(`${error}\n`),
});
process.stdout.write("ready\n");
process.once("SIGTERM", () => {
  void worker
    .stop({ drain: "500ms", handBack: "500ms" })
    .then(() => store.close())
    .then(() => process.exit(0));
});
