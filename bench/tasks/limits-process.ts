/** Has one kind of endless task killed again and again while others run beside it, and prints the Overrun. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AnyTask, connect, startWorker } from "../../dist/tasks/index.js";
import { type Beginning, child, here, kinds } from "./limit-tasks.ts";

export interface Overrun {
  /** Milliseconds from the first line of the handler to the end of its process. */
  readonly ranMs: readonly number[];
  readonly neighbours: number;
  readonly finished: number;
}

const BESIDE = 8;

const [address = "", kind = "spin", rounds = "1"] = process.argv.slice(2);
const endless: AnyTask = kinds[kind as keyof typeof kinds];
const directory = mkdtempSync(join(tmpdir(), "pawl-limits-"));
const client = connect(address);
const worker = await startWorker({
  store: await client.store(),
  tasks: [endless, here, child],
  queues: { limits: 1, neighbours: 2 },
});
const ranMs: number[] = [];
let finished = 0;
try {
  for (let round = 0; round < Number(rounds); round++) {
    const file = join(directory, String(round));
    const neighbours = await Promise.all(
      Array.from({ length: BESIDE }, (_, index) => client.enqueue(index % 2 === 0 ? here : child)),
    );
    const victim = await client.enqueue(endless, { file });
    while (!existsSync(file)) await sleep(1);
    const { pid, at } = JSON.parse(readFileSync(file, "utf8")) as Beginning;
    while (isAlive(pid)) await sleep(1);
    ranMs.push(Number(process.hrtime.bigint() - BigInt(at)) / 1e6);
    const error = await victim.result().then(
      () => null,
      (reason) => reason,
    );
    if (!/hard limit/.test(String(error))) throw new Error(`It was not killed, but: ${error}`);
    const ends = await Promise.allSettled(neighbours.map((each) => each.result()));
    finished += ends.filter(({ status }) => status === "fulfilled").length;
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
await worker.stop();
await client.close();
console.log(JSON.stringify({ ranMs, neighbours: BESIDE * Number(rounds), finished } satisfies Overrun));
process.exit();

/** A process that has ended but was not reaped yet runs no more. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
