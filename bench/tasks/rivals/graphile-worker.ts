import pg from "pg";
import { load } from "../peers.ts";
import { batches, Countdown, inputs, type Rival, until } from "./rival.ts";

/** What its page on performance gives its figures for. */
const worker = {
  concurrentJobs: 24,
  maxPoolSize: 25,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};
const BATCH = 5_000;

export async function openGraphileWorker(url: string): Promise<Rival> {
  const { Logger, makeWorkerUtils, run } = await load("graphile-worker");
  const logger = new Logger(() => (level: string, message: string) => {
    if (level === "error") console.error(message);
  });
  const utils = await makeWorkerUtils({ connectionString: url, logger });
  await utils.migrate();
  const eye = new pg.Client(url);
  await eye.connect();
  return {
    async enqueue(tasks) {
      const jobs = inputs(tasks).map((payload) => ({ identifier: "nothing", payload }));
      for (const batch of batches(jobs, BATCH)) await utils.addJobs(batch);
    },
    async drain(tasks) {
      const countdown = new Countdown(tasks);
      const runner = await run({
        preset: { worker: { ...worker, connectionString: url, logger } },
        taskList: { nothing: async () => countdown.call() },
        noHandleSignals: true,
      });
      const began = await countdown.over();
      await until(async () => {
        // A job that is done is deleted.
        return (await eye.query("SELECT FROM graphile_worker._private_jobs LIMIT 1")).rowCount === 0;
      });
      const took = performance.now() - began;
      await runner.stop();
      return took;
    },
    async close() {
      await eye.end();
      await utils.release();
    },
  };
}
