import assert from "node:assert/strict";
import { test } from "node:test";
import { PawlError, TransientError } from "../../../src/errors.ts";
import type { NewTask, Settlement, TaskStore } from "../../../src/store/contract.ts";
import { JsonText } from "../../../src/store/internal.ts";
import { Enqueuer } from "../../../src/tasks/client/client.ts";
import { Completer } from "../../../src/tasks/worker/completer.ts";

/** Refuses a batch as `refuse` says, as a database does: all of it. */
class Stub {
  readonly settled = new Map<string, Settlement>();
  transactions = 0;
  readonly #refuse: (settlement: Settlement, transaction: number) => unknown;

  constructor(refuse: (settlement: Settlement, transaction: number) => unknown) {
    this.#refuse = refuse;
  }

  readonly settle: TaskStore["settle"] = async (settlements) => {
    this.transactions++;
    for (const each of settlements) {
      const error = this.#refuse(each, this.transactions);
      if (error !== undefined) throw error;
    }
    for (const each of settlements) this.settled.set(each.id, each);
    return { lost: [] };
  };
}

const success = (id: number): Settlement => ({
  id: `${id}`,
  fence: 1,
  result: { state: "succeeded", value: id },
});
const isSuccess = ({ result }: Settlement) => result.state === "succeeded";

async function settleAll(stub: Stub, count: number): Promise<{ errors: unknown[]; done: number }> {
  const errors: unknown[] = [];
  const completer = new Completer(stub, (error) => errors.push(error));
  let done = 0;
  for (let id = 0; id < count; id++)
    completer.complete({ settlement: () => success(id), done: () => done++ });
  await completer.flushed();
  return { errors, done };
}

test("what the store refuses becomes a dead letter that says why, and all others are settled as they ended", async () => {
  const bad = new Set(["3", "500", "999"]);
  const refused = new PawlError("store.22021", "The store x refused: invalid byte sequence.");
  const stub = new Stub((each) => (bad.has(each.id) && isSuccess(each) ? refused : undefined));
  const { done, errors } = await settleAll(stub, 1_000);
  assert.equal(done, 1_000);
  assert.equal(stub.settled.size, 1_000);
  for (const [id, { result }] of stub.settled) {
    assert.equal(result.state, bad.has(id) ? "dead" : "succeeded");
    if (result.state === "dead") assert.match(result.error, /cannot be stored: The store x refused/);
  }
  assert.equal(errors.length, 3);
  assert.ok(stub.transactions < 100, `${stub.transactions} transactions`);
});

test("what is refused even as a dead letter is left to its lease, and holds up nothing", async () => {
  const stub = new Stub(({ id }) => (id === "7" ? new RangeError("no such number") : undefined));
  const { done } = await settleAll(stub, 20);
  assert.equal(done, 20);
  assert.equal(stub.settled.size, 19);
});

test("a store that is away is asked again until it works, and nothing becomes a dead letter", async () => {
  const away = new TransientError("store.busy", "The store is busy.");
  const stub = new Stub((_, transaction) => (transaction <= 3 ? away : undefined));
  const { done } = await settleAll(stub, 50);
  assert.equal(done, 50);
  assert.ok([...stub.settled.values()].every(isSuccess));
});

test("a store that may not be written is asked again as well: that is about the store, not about what it holds", async () => {
  const denied = new PawlError("postgres.42501", "The user has no permission.");
  const stub = new Stub((_, transaction) => (transaction <= 3 ? denied : undefined));
  await settleAll(stub, 5);
  assert.equal(stub.settled.size, 5);
  assert.ok([...stub.settled.values()].every(isSuccess));
});

test("one at which the store fails each time lets all others by", async () => {
  const busy = new TransientError("store.busy", "The statement took too long.");
  const stub = new Stub(({ id }) => (id === "0" ? busy : undefined));
  const completer = new Completer(stub, () => {});
  let done = 0;
  for (let id = 0; id < 100; id++) completer.complete({ settlement: () => success(id), done: () => done++ });
  while (stub.settled.size < 99) await new Promise(setImmediate);
  assert.equal(done, 99);
  completer.abandon();
  await completer.flushed();
  assert.equal(done, 100);
});

test("how an attempt ended is asked in a later turn of the event loop, also while others are being stored", async () => {
  const completer = new Completer(new Stub(() => undefined), () => {});
  const early: number[] = [];
  const settle = (id: number) => {
    let turnIsOver = false;
    setImmediate(() => {
      turnIsOver = true;
    });
    completer.complete({
      settlement() {
        if (!turnIsOver) early.push(id);
        return success(id);
      },
      done() {
        if (id < 5) settle(id + 1);
      },
    });
  };
  settle(0);
  await completer.flushed();
  assert.deepEqual(early, []);
});

test("results that are large go to the store in several statements, each of a bounded size", async () => {
  const sizes: number[] = [];
  const store: Pick<TaskStore, "settle"> = {
    settle: async (settlements) => {
      const texts = settlements.map(({ result }) => (result as { value: JsonText }).value.text.length);
      sizes.push(texts.reduce((sum, each) => sum + each, 0));
      return { lost: [] };
    },
  };
  const completer = new Completer(store, (error) => assert.fail(String(error)));
  // One that is larger than all that may go together goes alone.
  const lengths = [...new Array(40).fill(1_000_000), 9_000_000, 10];
  let done = 0;
  for (const [id, length] of lengths.entries()) {
    const value = new JsonText(JSON.stringify("x".repeat(length)));
    completer.complete({
      settlement: () => ({ id: `${id}`, fence: 1, result: { state: "succeeded", value } }),
      done: () => done++,
    });
  }
  await completer.flushed();
  assert.equal(done, lengths.length);
  assert.ok(sizes.length <= 8, `${sizes.length} statements`);
  assert.ok(
    sizes.every((size) => size <= 9_000_010),
    String(sizes),
  );
});

test("large inputs that are enqueued at once go to the store in several statements as well", async () => {
  const sizes: number[] = [];
  const store = {
    enqueue: async (tasks: readonly NewTask[]) => {
      sizes.push(tasks.reduce((sum, { payload }) => sum + (payload as JsonText).text.length, 0));
      return tasks.map(({ id }) => id);
    },
  } as unknown as TaskStore;
  const enqueuer = new Enqueuer(async () => store);
  const payload = new JsonText(JSON.stringify("x".repeat(1_000_000)));
  const added = await Promise.all(
    Array.from({ length: 30 }, (_, n) => enqueuer.add({ id: `${n}`, queue: "q", name: "n", payload })),
  );
  assert.ok(added.every(Boolean));
  assert.ok(
    sizes.every((size) => size <= 8 * 1024 * 1024),
    String(sizes),
  );
});
