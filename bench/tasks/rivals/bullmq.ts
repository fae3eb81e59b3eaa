import { load } from "../peers.ts";
import { batches, Countdown, type Input, inputs, type Rival } from "./rival.ts";

const QUEUE = "bench";
/** "Adding jobs in bulk" and "Concurrency" of its guide. */
const BATCH = 1_000;
const CONCURRENCY = 100;

/** Done jobs are removed, as its guide has it for production: keeping them is slower. */
export async function openBullMq(url: string): Promise<Rival> {
  const { Queue, Worker } = await load("bullmq");
  const { hostname: host, port } = new URL(url);
  const connection = { host, port: Number(port), maxRetriesPerRequest: null };
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
  return {
    async enqueue(tasks) {
      const opts = { removeOnComplete: true, removeOnFail: true };
      const jobs = inputs(tasks).map((data) => ({ name: "nothing", data, opts }));
      for (const batch of batches(jobs, BATCH)) await queue.addBulk(batch);
    },
    async drain(tasks) {
      const countdown = new Countdown(tasks);
      const completed = new Countdown(tasks);
      const handle = async (_: { data: Input }) => countdown.call();
      const worker = new Worker(QUEUE, handle, { connection, concurrency: CONCURRENCY });
      // Emitted once Redis has said that it is done.
      worker.on("completed", completed.call);
      const began = await countdown.over();
      await completed.over();
      const took = performance.now() - began;
      await worker.close();
      return took;
    },
    close: () => queue.close(),
  };
}
