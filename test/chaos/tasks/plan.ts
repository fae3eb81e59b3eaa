import type { Random } from "../random.ts";

export type Driver = "sqlite" | "postgres";

/**
 * - `kill`: SIGKILL of a worker; another one is started in its place, as after each of the following
 * - `point`: SIGKILL of a worker just before or after a commit
 * - `child`: SIGKILL of a child of a worker
 * - `term`: SIGTERM of a worker
 * - `stop`: SIGSTOP of a worker past its lease, then SIGCONT
 * - `producer`: SIGKILL of a producer
 * - `clock`: the wall clock of a worker jumps; with SQLite that of the machine, as all its processes see it
 * - `lock`: another process holds the lock of the SQLite file
 * - `restart`: the server stops as by a power cut, and comes back after a while
 * - `cut`: all connections of a process are cut
 * - `reply`: the reply to a COMMIT is dropped with its connection; the server has committed
 * - `request`: a COMMIT is dropped with its connection, before the server has heard of it
 * - `hang`: nothing comes back over the connections of a process for a while, until they are cut
 */
export type FaultKind =
  | "kill"
  | "point"
  | "child"
  | "term"
  | "stop"
  | "producer"
  | "clock"
  | "lock"
  | "restart"
  | "cut"
  | "reply"
  | "request"
  | "hang";

export interface Fault {
  readonly kind: FaultKind;
  /** After the fault before it began. */
  readonly gapMs: number;
  /** Which of the processes, as a number from 0 to 1. */
  readonly target: number;
  /** How long it lasts, where it does. */
  readonly lastsMs: number;
  /** `point`: which one. */
  readonly point: number;
  /** `clock`: how far it jumps. */
  readonly jumpMs: number;
}

const WEIGHTS: Readonly<Record<Driver, Partial<Record<FaultKind, number>>>> = {
  sqlite: { kill: 6, point: 5, child: 2, term: 2, stop: 4, producer: 2, clock: 3, lock: 3 },
  postgres: {
    kill: 5,
    point: 2,
    child: 2,
    term: 1.5,
    stop: 4,
    producer: 2,
    clock: 2,
    restart: 1.5,
    cut: 3,
    reply: 5,
    request: 2,
    hang: 1.5,
  },
};

export interface PlanOptions {
  readonly driver: Driver;
  readonly leaseMs: number;
  /** Nothing but this. */
  readonly kind: FaultKind | null;
}

/** Faults that strike one after the other; what each is depends on the seed and its number only. */
export function* planFaults(random: Random, options: PlanOptions): Generator<Fault, never> {
  for (let number = 0; ; number++) yield planFault(random.fork(String(number)), options);
}

function planFault(random: Random, { driver, leaseMs, kind: only }: PlanOptions): Fault {
  const kind = only ?? random.weighted(WEIGHTS[driver] as Record<FaultKind, number>);
  return {
    kind,
    gapMs: random.int(20, 400),
    target: random.next(),
    lastsMs:
      kind === "stop"
        ? Math.round(leaseMs * (1.1 + random.next()))
        : kind === "restart"
          ? random.int(0, 1_500)
          : random.int(200, 2 * leaseMs),
    point: random.int(1, 60),
    jumpMs: jump(random, driver),
  };
}

/**
 * A worker's own clock means nothing to PostgreSQL. That of SQLite is the machine's: set back by an hour, what is due
 * waits an hour.
 */
function jump(random: Random, driver: Driver): number {
  if (driver === "sqlite") return random.pick([-1_500, -300, 700, 5_000, 20_000]);
  const size = 10 ** random.int(2, 8);
  return random.chance(0.5) ? size : -size;
}
