import { openStore } from "../../../dist/store/index.js";
import { connect, startWorker, task } from "../../../dist/tasks/index.js";
import { Countdown, type Input, inputs, type Rival, until } from "./rival.ts";

const QUEUE = "bench";
/** For many small tasks, as the docs say. */
const SLOTS = 100;
const PREFETCH = 1_000;

/** One process may open several, and a task's name is taken once. */
let opened = 0;

/** Through the public API, with its defaults but for the worker's slots. */
export async function openPawl(address: string): Promise<Rival> {
  const store = await openStore(address);
  const client = connect(store);
  let countdown = new Countdown(0);
  const nothing = task({ name: `nothing-${opened++}`, queue: QUEUE }, (_: Input) => countdown.call());
  return {
    async enqueue(tasks) {
      await client.enqueueMany(nothing, inputs(tasks));
    },
    async drain(tasks) {
      countdown = new Countdown(tasks);
      const before = await succeeded();
      const worker = await startWorker({
        store,
        tasks: [nothing],
        queues: { [QUEUE]: SLOTS },
        prefetch: PREFETCH,
      });
      const began = await countdown.over();
      await until(async () => (await succeeded()) >= before + tasks);
      const took = performance.now() - began;
      await worker.stop();
      return took;
    },
    close: () => store.close(),
  };

  async function succeeded(): Promise<number> {
    return (await store.queues()).find(({ name }) => name === QUEUE)?.counts.succeeded ?? 0;
  }
}
