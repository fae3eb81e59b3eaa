import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../../../src/store/index.ts";
import { parseWorkerId } from "../../../src/tasks/internal.ts";
import type { FaultyLink } from "../../store/postgres/faulty-link.ts";
import { answersCommit, asksCommit } from "../../store/postgres/faulty-link.ts";
import type { Arena } from "./arena.ts";
import type { History } from "./history.ts";
import type { Fault, FaultKind } from "./plan.ts";
import type { ProcessSlot } from "./process-slot.ts";

/** A slot and the link between its process and the store. */
export interface Manned {
  readonly slot: ProcessSlot;
  readonly link: FaultyLink | null;
}

export interface Field {
  readonly arena: Arena;
  readonly workers: readonly Manned[];
  readonly producers: readonly Manned[];
  readonly history: History;
  /** The undisturbed store. */
  readonly store: Store;
}

/** How long a fault may wait for its moment. */
const PATIENCE_MS = 8_000;

/** Does what a fault says. Returns what struck; nothing when there was no moment for it. */
export async function strike(fault: Fault, field: Field): Promise<FaultKind[]> {
  if (fault.kind === "restart" || fault.kind === "lock") {
    return await told(fault, "the store", field, () => field.arena.block(fault.lastsMs));
  }
  const among = choose(fault, field);
  const manned = among[Math.floor(fault.target * among.length)];
  if (manned === undefined) return [];
  const { slot } = manned;
  slot.busy = true;
  try {
    await slot.ready();
    return await strikeAt(fault, manned, field);
  } finally {
    slot.busy = false;
  }
}

/** The processes that it may strike: none that is struck already. */
function choose({ kind }: Fault, { workers, producers }: Field): Manned[] {
  const idle = (some: readonly Manned[]) => some.filter(({ slot }) => !slot.busy);
  switch (kind) {
    case "producer":
      return idle(producers);
    case "cut":
    case "reply":
    case "request":
    case "hang":
    case "clock":
      return idle([...workers, ...producers]);
    case "child":
      return idle(workers).filter(({ slot }) => slot.children().length > 0);
    default:
      return idle(workers);
  }
}

async function strikeAt(fault: Fault, { slot, link }: Manned, field: Field): Promise<FaultKind[]> {
  const { kind, lastsMs } = fault;
  const target = `${slot.role} (${slot.pid})`;
  const note = (what: FaultKind, about = "") =>
    field.history.write({ what: "fault", kind: what, target, note: about });
  switch (kind) {
    case "kill":
    case "producer":
      note(kind);
      await slot.end("SIGKILL");
      slot.start();
      return [kind];
    case "point": {
      note("kill");
      await slot.end("SIGKILL");
      slot.start(fault.point);
      const armed = `${slot.role} (${slot.pid})`;
      const struck = await slot.over(PATIENCE_MS);
      field.history.write({
        what: "fault",
        kind: struck ? "point" : "kill",
        target: armed,
        note: `commit ${fault.point}`,
      });
      slot.start();
      return ["kill", struck ? "point" : "kill"];
    }
    case "term":
      note(kind);
      await slot.end("SIGTERM", 20_000);
      slot.start();
      return [kind];
    case "child": {
      const [pid] = slot.children();
      if (pid === undefined) return [];
      note(kind, `child ${pid}`);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        return [];
      }
      return [kind];
    }
    case "stop":
      if (!(await isAtWork(slot, field.store))) return [];
      note(kind, `for ${lastsMs} ms`);
      slot.signal("SIGSTOP");
      await sleep(lastsMs);
      slot.signal("SIGCONT");
      note(kind, "goes on");
      return [kind];
    case "clock":
      slot.clock.jump(fault.jumpMs);
      note(kind, `by ${fault.jumpMs} ms`);
      return [kind];
    case "cut":
      if (link === null) return [];
      note(kind);
      link.how = "both";
      link.cut();
      return [kind];
    case "hang":
      if (link === null) return [];
      note(kind, `for ${lastsMs} ms`);
      link.holds = () => true;
      await sleep(lastsMs);
      link.holds = () => false;
      link.cut();
      note(kind, "over");
      return [kind];
    case "reply":
    case "request":
      if (link === null) return [];
      return (await dropCommit(kind, link, () => note(kind))) ? [kind] : [];
    default:
      return [];
  }
}

/** Waits until a worker holds a lease; stopped without one it would say little. */
async function isAtWork({ pid }: ProcessSlot, store: Store): Promise<boolean> {
  const giveUp = performance.now() + PATIENCE_MS;
  while (performance.now() < giveUp) {
    const leased = await store.query({ states: ["leased"] });
    if (leased.some(({ worker }) => worker !== null && parseWorkerId(worker)?.pid === pid)) return true;
    await sleep(10);
  }
  return false;
}

/** Drops the next COMMIT of a process, or the reply to it; false when there was none for some time. */
async function dropCommit(kind: "reply" | "request", link: FaultyLink, note: () => void): Promise<boolean> {
  const dropped = Promise.withResolvers<boolean>();
  const once = (matches: (piece: Buffer) => boolean) => (piece: Buffer) => {
    if (!matches(piece)) return false;
    heal();
    note();
    dropped.resolve(true);
    return true;
  };
  const heal = () => {
    link.swallows = () => false;
    link.stops = () => false;
  };
  // The server is to find out by itself, or not at all.
  link.how = "client";
  if (kind === "reply") link.swallows = once(answersCommit);
  else link.stops = once(asksCommit);
  const timer = setTimeout(() => {
    heal();
    dropped.resolve(false);
  }, PATIENCE_MS);
  const struck = await dropped.promise;
  clearTimeout(timer);
  return struck;
}

async function told(
  { kind, lastsMs }: Fault,
  target: string,
  { history }: Field,
  work: () => Promise<void>,
): Promise<FaultKind[]> {
  history.write({ what: "fault", kind, target, note: `for ${lastsMs} ms` });
  await work();
  history.write({ what: "fault", kind, target, note: "over" });
  return [kind];
}
