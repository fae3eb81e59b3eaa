import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type NewTask, openStore, type Settlement, type Store } from "../../../src/store/index.ts";
import type { Outcome, Scene } from "../scene.ts";

export type Stories = Readonly<Record<string, (desk: Desk) => Promise<void>>>;

/** The tasks that workers of these tests run. */
export const MODULE = fileURLToPath(new URL("./module.ts", import.meta.url));

/** A store of tasks, looked at and steered with commands. */
export class Desk implements AsyncDisposable {
  readonly scene: Scene;
  readonly store: Store;
  readonly address: string;

  private constructor(scene: Scene, store: Store, address: string) {
    this.scene = scene;
    this.store = store;
    this.address = address;
  }

  static async open(scene: Scene, address: string): Promise<Desk> {
    return new Desk(scene, await openStore(address), address);
  }

  /** A command that has to succeed; what it printed. */
  async pawl(...args: string[]): Promise<string> {
    const { code, out, err } = await this.try(...args);
    assert.equal(code, 0, err);
    return out;
  }

  /** The same with `--json`: each line parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: what a program in another language would see
  async json(...args: string[]): Promise<any[]> {
    const out = await this.pawl(...args, "--json");
    return out
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  }

  try(...args: string[]): Promise<Outcome> {
    return this.scene.pawl(args, { env: { PAWL_STORE: this.address } });
  }

  /** A command that is refused: one sentence, exit code 2, and nothing on standard output. */
  async refused(...args: string[]): Promise<string> {
    const { code, out, err } = await this.try(...args);
    assert.deepEqual([code, out], [2, ""], err);
    assert.match(err, /^pawl: [^\n]+\n$/);
    return err;
  }

  async enqueue(...tasks: Partial<NewTask>[]): Promise<void> {
    await this.store.enqueue(
      tasks.map((task, n) => ({ id: `t${n}`, queue: "q", name: "work", payload: null, ...task })),
    );
  }

  /** Claims a task and ends it. */
  async settle(queue: string, result: Settlement["result"], log?: string) {
    const [claim] = await this.store.claim({ queues: [queue], n: 1, leaseMs: 60_000, worker: "somebody" });
    assert.ok(claim);
    const { id, fence } = claim;
    await this.store.settle([{ id, fence, result, ...(log === undefined ? {} : { log }) }]);
    return id;
  }

  async states(): Promise<Record<string, string>> {
    const all = ["waiting", "leased", "succeeded", "dead", "cancelled"] as const;
    return Object.fromEntries((await this.store.query({ states: all })).map(({ id, state }) => [id, state]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
  }
}
