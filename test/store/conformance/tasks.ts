import assert from "node:assert/strict";
import type {
  Claim,
  Lease,
  NewTask,
  Settlement,
  Store,
  TaskRecord,
  TaskResult,
} from "../../../src/store/index.ts";

export function newTask(id: string, more: Partial<NewTask> = {}): NewTask {
  return { id, queue: "q", name: "work", payload: { id }, ...more };
}

export async function claimOf(store: Store, n = 1, worker = "w1", leaseMs = 1_000): Promise<Claim[]> {
  return await store.claim({ queues: ["q"], n, leaseMs, worker });
}

/** Claims one task, which must be there. */
export async function claimOne(store: Store, worker?: string): Promise<Claim> {
  const [claim] = await claimOf(store, 1, worker);
  assert.ok(claim);
  return claim;
}

/** Enqueues one task and claims it. */
export async function claimed(store: Store, id = "t", worker = "w1"): Promise<Lease> {
  await store.enqueue([newTask(id)]);
  const [claim] = await claimOf(store, 1, worker);
  assert.equal(claim?.id, id);
  return { id, fence: claim.fence };
}

export function settlement(lease: Lease, result: TaskResult): Settlement {
  return { id: lease.id, fence: lease.fence, result };
}

/** Settles one claim. */
export async function settle(store: Store, lease: Lease, result: TaskResult): Promise<{ lost: string[] }> {
  return await store.settle([settlement(lease, result)]);
}

export async function taskOf(store: Store, id = "t"): Promise<TaskRecord> {
  const [task] = await store.query({ ids: [id] });
  assert.ok(task);
  return task;
}

export function ids(items: readonly { readonly id: string }[]): string[] {
  return items.map(({ id }) => id);
}
