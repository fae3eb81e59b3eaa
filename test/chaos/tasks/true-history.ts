import type { AttemptRecord, GroupRecord, TaskRecord } from "../../../src/store/index.ts";
import { FRESH_TASK } from "../../fresh-task.ts";
import type { Facts } from "./facts.ts";
import type { Entry, Happening } from "./history.ts";

/** When the first of these happened, by the store's clock. */
const BEGINNING = Date.parse("2026-01-31T12:00:00.000Z");

/** A history in which nothing is wrong, made by hand, for tests that make something wrong of it. */
export class TrueHistory {
  readonly entries: Entry[] = [];
  readonly tasks = new Map<string, TaskRecord>();
  readonly attempts = new Map<string, AttemptRecord[]>();
  readonly groups = new Map<string, GroupRecord>();
  readonly deaths: string[] = [];
  #now = 0;
  #calls = 0;

  /** Time passes. */
  wait(ms: number): void {
    this.#now += ms;
  }

  tell(by: string, happening: Happening): void {
    this.#now += 1;
    this.entries.push({ t: this.#now, by, ...happening } as Entry);
  }

  /** A producer stores a task. */
  enqueue(id: string, name = "note", more: Partial<TaskRecord> = {}): void {
    this.store(id, name, more);
    const since = this.#now;
    this.tell("producer", { what: "enqueued", since, ids: [id] });
    this.tell("producer", { what: "asked", since, id, kind: name, key: null, created: true });
  }

  /** A task is there, no matter which process stored it. */
  store(id: string, name: string, more: Partial<TaskRecord> = {}): void {
    this.tasks.set(id, {
      id,
      name,
      queue: "light",
      flow: null,
      payload: null,
      priority: 0,
      ...FRESH_TASK,
      due: 0,
      createdAt: BEGINNING + this.#now,
      expiresAt: null,
      unique: null,
      bucket: null,
      childOf: null,
      meta: null,
      ...more,
    });
  }

  /** A worker is given a task. */
  claim(id: string, by: string): number {
    const { fence: before } = this.#task(id);
    const fence = before + 1;
    const since = this.#now;
    this.change(id, { fence, state: "leased", startedAt: BEGINNING + this.#now });
    this.tell(by, { what: "claimed", since, claims: [[id, fence]] });
    return fence;
  }

  /** Its lease is taken back. */
  crash(id: string): void {
    this.#over(id, "crashed");
    this.change(id, { state: "waiting", crashes: this.#task(id).crashes + 1 });
  }

  /** A worker runs a claim to its end. */
  run(id: string, fence: number, by: string): void {
    this.tell(by, { what: "began", id, fence });
    this.tell(by, { what: "ended", id, fence, token: `${id} ${fence}` });
  }

  /** A worker settles a claim as succeeded; lost if it is not the latest. */
  settle(id: string, fence: number, by: string, result: Record<string, unknown> = {}): void {
    const call = this.#calls++;
    this.tell(by, { what: "settling", call, settlements: [{ id, fence, result: "succeeded" }] });
    const task = this.#task(id);
    const held = task.fence === fence && task.state === "leased";
    if (held) {
      this.#over(id, "succeeded");
      this.change(id, { state: "succeeded", result: { ...result, token: `${id} ${fence}` } as never });
    }
    this.tell(by, { what: "settled", call, lost: held ? [] : [id] });
  }

  /** A worker hands a claim back and, in the same call, settles it. */
  handBack(id: string, fence: number, by: string): void {
    const call = this.#calls++;
    const settlements = ["snoozed", "succeeded"].map((result) => ({ id, fence, result }));
    this.tell(by, { what: "settling", call, settlements });
    this.#over(id, "snoozed");
    this.change(id, { state: "waiting" });
    this.tell(by, { what: "settled", call, lost: [id] });
  }

  /** All of it. */
  work(id: string, by: string, result: Record<string, unknown> = {}): void {
    const fence = this.claim(id, by);
    this.run(id, fence, by);
    this.settle(id, fence, by, result);
  }

  change(id: string, changes: Partial<TaskRecord>): void {
    this.tasks.set(id, { ...this.#task(id), ...changes });
  }

  facts(): Facts {
    const { entries, tasks, attempts, groups, deaths } = this;
    return { entries, tasks, attempts, groups, deaths, poisonAfter: 8, steadyClock: true };
  }

  #task(id: string): TaskRecord {
    return this.tasks.get(id) as TaskRecord;
  }

  #over(id: string, result: AttemptRecord["result"]): void {
    const { fence, startedAt } = this.#task(id);
    const attempt = {
      fence,
      worker: "",
      startedAt: startedAt ?? 0,
      endedAt: 0,
      result,
      error: null,
      log: null,
    };
    this.attempts.set(id, [...(this.attempts.get(id) ?? []), attempt]);
  }
}

/** Of everything that rules speak of, something. */
export function trueHistory(): TrueHistory {
  const history = new TrueHistory();
  history.enqueue("plain");
  history.work("plain", "w1");

  // w1 is stopped past its lease, and comes back when w2 has the task.
  history.enqueue("twice");
  const stale = history.claim("twice", "w1");
  history.tell("w1", { what: "began", id: "twice", fence: stale });
  history.crash("twice");
  const fresh = history.claim("twice", "w2");
  history.tell("w1", { what: "ended", id: "twice", fence: stale, token: "twice 1" });
  history.settle("twice", stale, "w1");
  history.run("twice", fresh, "w2");
  history.settle("twice", fresh, "w2");

  // It is handed back while it still runs, and ends before that is stored: the first word counts.
  history.enqueue("handed back");
  const early = history.claim("handed back", "w1");
  history.run("handed back", early, "w1");
  history.handBack("handed back", early, "w1");
  history.work("handed back", "w2");

  history.store("callback", "gather");
  for (const index of [0, 1]) {
    const childOf = { group: "callback", index };
    history.enqueue(`childOf ${index}`, "link", { childOf });
    history.work(`childOf ${index}`, "w1");
  }
  history.groups.set("callback", {
    id: "callback",
    children: 2,
    need: "all",
    callback: "callback",
    state: "released",
    succeeded: 2,
    failed: 0,
  });
  history.work("callback", "w2", { count: 2 });

  for (const second of [0, 1, 2]) {
    const at = BEGINNING + second * 1_000;
    const id = `pulse@${new Date(at).toISOString()}`;
    history.store(id, "pulse");
    history.tell("w1", { what: "ticked", schedule: "pulse", ids: [id] });
    history.work(id, "w2", { at });
  }

  for (let n = 0; n < 45; n++) {
    history.enqueue(`brisk ${n}`, "brisk");
    history.work(`brisk ${n}`, "w1");
    history.wait(50);
  }

  history.enqueue("called off");
  history.tell("producer", { what: "cancelling", id: "called off" });
  history.change("called off", { state: "cancelled" });
  history.tell("producer", { what: "cancelled", id: "called off", reached: true });

  for (const id of ["only one", "the next one"]) {
    history.enqueue(id, "solo", { unique: "solo:u1" });
    history.work(id, "w1");
  }
  return history;
}
