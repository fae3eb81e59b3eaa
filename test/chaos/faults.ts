import type { Random } from "./random.ts";

/**
 * - `kill`: SIGKILL of the loader, at a moment
 * - `point`: SIGKILL of the loader just before or after something becomes durable
 * - `stop`: SIGSTOP of the loader past its lease while the same command is given again, then SIGCONT
 * - `freeze`: the same, from just before or after something becomes durable
 * - `backends`: the server ends all connections of the loader
 * - `restart`: the server stops as by a power cut, and comes back after a while
 * - `twin`: the same command is given twice at once
 * - `interrupt`: SIGINT, as by Ctrl-C
 */
export type FaultKind = "kill" | "point" | "stop" | "freeze" | "backends" | "restart" | "twin" | "interrupt";

/** When a fault strikes: once the loads have begun so much of their work, and so long after that. */
export interface Moment {
  /** Of the effects expected; null means from the start of the process on. */
  readonly progress: number | null;
  readonly afterMs: number;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly when: Moment;
  /** `point`, `freeze`: which one; instead of a moment, where the loader begins with this fault. */
  readonly point: number;
  /** `restart`: how long the server is away. `twin`: how much later the second command is given. */
  readonly pauseMs: number;
  /** `stop`, `freeze`: the stopped loader goes on once the second one has committed something, or has ended. */
  readonly until: "takeover" | "end";
}

export function planFaults(
  random: Random,
  options: { readonly killsOnly: boolean; readonly withoutSchema: boolean },
): Fault[] {
  const once = new Set<FaultKind>();
  const faults = Array.from({ length: options.killsOnly ? random.int(2, 5) : random.int(1, 7) }, () => {
    const kind = pickKind(random, options);
    const fault: Fault = {
      kind: once.has(kind) ? "kill" : kind,
      when: pickMoment(random),
      point: random.chance(0.5) ? random.int(1, 30) : random.int(1, 150),
      pauseMs: kind === "twin" ? random.pick([0, 0, 50]) : random.int(0, 2500),
      until: random.pick(["takeover", "takeover", "end"]),
    };
    // Each of these takes seconds, or says little when repeated.
    if (kind === "stop" || kind === "freeze" || kind === "interrupt" || kind === "restart" || kind === "twin")
      once.add(kind);
    return fault;
  });
  return faults;
}

/** None, or a few: a replay is short. */
export function planReplayFaults(random: Random): Fault[] {
  return Array.from({ length: random.pick([0, 0, 1, 2, 3]) }, () => ({
    kind: random.pick(["kill", "point"]),
    when: { progress: null, afterMs: random.int(0, 1200) },
    point: random.int(1, 60),
    pauseMs: 0,
    until: "end",
  }));
}

function pickKind(
  random: Random,
  { killsOnly, withoutSchema }: { readonly killsOnly: boolean; readonly withoutSchema: boolean },
): FaultKind {
  if (killsOnly) return random.weighted({ kill: 2, point: 1 });
  // Without a checkpoint in the target nothing fences a loader that sleeps through its lease.
  if (withoutSchema) return random.weighted({ kill: 8, point: 4, backends: 2, restart: 1, interrupt: 1 });
  return random.weighted({
    kill: 8,
    point: 5,
    stop: 1,
    freeze: 1.5,
    backends: 2,
    restart: 1.5,
    twin: 1,
    interrupt: 1,
  });
}

function pickMoment(random: Random): Moment {
  const kind = random.weighted({ early: 3, within: 8, late: 2, after: 1.5 });
  switch (kind) {
    case "early":
      return { progress: null, afterMs: random.int(0, 900) };
    case "within":
      return { progress: random.next(), afterMs: random.int(0, 60) };
    case "late":
      return { progress: 0.9 + random.next() / 10, afterMs: random.int(0, 60) };
    case "after":
      return { progress: 1, afterMs: random.int(0, 250) };
  }
}

/** Such as `kill at 37 % + 12 ms`. */
export function describeFault({ kind, when, point }: Fault): string {
  if (kind === "point" || kind === "freeze") return `${kind}@${point}`;
  const from = when.progress === null ? "" : `${Math.floor(when.progress * 100)}%+`;
  return `${kind}@${from}${when.afterMs}ms`;
}
