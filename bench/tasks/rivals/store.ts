import { randomUUID } from "node:crypto";
import { type Claim, type NewTask, openStore, type Store } from "../../../dist/store/index.js";
import { batches, inputs, type Rival } from "./rival.ts";

const QUEUE = "bench";
const BATCH = 500;

/** The engine without the layer above: one claims, and settles what it claimed while it claims the next. */
export async function openBareStore(address: string): Promise<Rival> {
  const store = await openStore(address);
  let made = 0;
  const prefix = randomUUID();
  return {
    async enqueue(tasks) {
      const list = inputs(tasks).map((payload): NewTask => {
        // In the order of enqueueing, as the ids of the layer above.
        const id = `${prefix}${(made++).toString(36).padStart(8, "0")}`;
        return { id, queue: QUEUE, name: "nothing", payload: { ...payload } };
      });
      for (const batch of batches(list, BATCH)) await store.enqueue(batch);
    },
    drain: (tasks) => drain(store, tasks),
    close: () => store.close(),
  };
}

async function drain(store: Store, tasks: number): Promise<number> {
  const began = performance.now();
  let settling: Promise<unknown> = Promise.resolve();
  for (let done = 0; done < tasks; ) {
    const request = { queues: [QUEUE], n: BATCH, leaseMs: 15_000, worker: "bench" };
    const [claims] = await Promise.all([store.claim(request), settling]);
    if (claims.length === 0) throw new Error(`The queue was empty after ${done} of ${tasks} tasks.`);
    settling = settle(store, claims);
    done += claims.length;
  }
  await settling;
  return performance.now() - began;
}

async function settle(store: Store, claims: readonly Claim[]): Promise<void> {
  const result = { state: "succeeded" } as const;
  const { lost } = await store.settle(claims.map(({ id, fence }) => ({ id, fence, result })));
  if (lost.length > 0) throw new Error(`${lost.length} claims were lost.`);
}
