import pg from "pg";
import { load } from "../peers.ts";
import { batches, Countdown, type Input, inputs, type Rival, until } from "./rival.ts";

const QUEUE = "bench";
/** `insert` takes many jobs; `work` fetches and completes in batches, and does not pause while they are full. */
const INSERTED = 5_000;
const FETCHED = 1_000;

export async function openPgBoss(url: string): Promise<Rival> {
  const { PgBoss } = await load("pg-boss");
  const boss = new PgBoss({ connectionString: url });
  boss.on("error", (error: unknown) => console.error(error));
  await boss.start();
  await boss.createQueue(QUEUE);
  const eye = new pg.Client(url);
  await eye.connect();
  const open = "SELECT FROM pgboss.job WHERE name = $1 AND state < 'completed' LIMIT 1";
  return {
    async enqueue(tasks) {
      const jobs = inputs(tasks).map((data) => ({ data }));
      for (const batch of batches(jobs, INSERTED)) await boss.insert(QUEUE, batch);
    },
    async drain(tasks) {
      const countdown = new Countdown(tasks);
      const options = {
        batchSize: FETCHED,
        localConcurrency: 2,
        burstWhenBatchFull: true,
        pollingIntervalSeconds: 0.5,
      };
      const handle = async (jobs: { data: Input }[]) => {
        for (const _ of jobs) countdown.call();
      };
      const work = await boss.work(QUEUE, options, handle);
      const began = await countdown.over();
      await until(async () => (await eye.query(open, [QUEUE])).rowCount === 0);
      const took = performance.now() - began;
      await boss.offWork(QUEUE, { id: work, wait: true });
      return took;
    },
    async close() {
      await eye.end();
      await boss.stop({ graceful: false });
    },
  };
}
