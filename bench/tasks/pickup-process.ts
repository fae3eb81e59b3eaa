/**
 * Enqueues one task after the other, with a worker in this process or in another, and prints how long each took to
 * its handler. The clock counts since the start of the machine, so it is one for all processes.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, startWorker, task } from "../../dist/tasks/index.js";

export interface Pickup {
  /** Milliseconds from the call to the handler. */
  readonly latencies: readonly number[];
  /** Milliseconds from the call until it was durable. */
  readonly stored: readonly number[];
}

const QUEUE = "pickup";
/** The first ones find code that was never run. */
const WARM = 50;

const [address = "", role = "", samples = "0"] = process.argv.slice(2);
const latencies: number[] = [];
const expected = WARM + Number(samples);
const all = Promise.withResolvers<void>();
const picked = task({ name: "picked", queue: QUEUE }, ({ at }: { at: string }) => {
  latencies.push(Number(process.hrtime.bigint() - BigInt(at)) / 1e6);
  if (latencies.length === expected) all.resolve();
});

if (role === "worker") {
  const worker = await startWorker({ store: address, tasks: [picked] });
  process.send?.("ready");
  await all.promise;
  process.send?.(latencies.slice(WARM));
  await worker.stop();
  process.disconnect();
} else {
  await using client = connect(address);
  const stored: number[] = [];
  let gather: () => Promise<readonly number[]>;
  if (role === "here") {
    const worker = await startWorker({ store: await client.store(), tasks: [picked] });
    gather = async () => {
      await all.promise;
      await worker.stop();
      return latencies.slice(WARM);
    };
  } else {
    const worker = fork(import.meta.filename, [address, "worker", samples]);
    await once(worker, "message");
    const heard = once(worker, "message");
    gather = async () => (await heard)[0];
  }
  await sleep(1_000);
  for (let sample = 0; sample < expected; sample++) {
    const began = process.hrtime.bigint();
    await client.enqueue(picked, { at: String(began) });
    if (sample >= WARM) stored.push(Number(process.hrtime.bigint() - began) / 1e6);
    // Neither in step with a poll nor before the worker has come to rest.
    await sleep(10 + Math.random() * 20);
  }
  console.log(JSON.stringify({ latencies: await gather(), stored } satisfies Pickup));
}
