import { type KeyKind, type Shape, shapeOf } from "./columns.ts";
import type { Dialect } from "./encode.ts";
import { type Fault, planFaults, planReplayFaults } from "./faults.ts";
import { Random } from "./random.ts";

/** `append` inserts every row: with a key there is no second one, without a key the table would keep both. */
export type Mode = "update" | "ignore" | "append";

/** All that a scenario is, drawn from its seed alone. */
export interface Plan {
  readonly seed: string;
  readonly mode: Mode;
  readonly shape: Shape;
  readonly rows: number;
  readonly files: number;
  readonly gzip: boolean;
  readonly dialect: Dialect;
  readonly badRate: number;
  /** How many of the good rows have a key that was there before. */
  readonly duplicateRate: number;
  readonly blankRate: number;
  /** How many keys are written in another way than PostgreSQL prints them. */
  readonly keySpellings: number;
  /** How many of the rows the table holds before the load, and how many of those as they should be. */
  readonly initialRate: number;
  readonly sameRate: number;
  /** What the audit trigger sleeps for each row on average, so that small loads last. */
  readonly dragMicroseconds: number;
  /** Each time the command is given it takes one of these; null leaves the option out. */
  readonly memory: readonly (string | null)[];
  readonly concurrency: readonly (number | null)[];
  readonly nameKey: boolean;
  readonly promiseUnique: boolean;
  /** The role may not create a schema in the target database: the checkpoint follows the effect. */
  readonly withoutSchema: boolean;
  readonly faults: readonly Fault[];
  /** Whether the other listing of bad rows is checked too. */
  readonly jsonl: boolean;
  /** What strikes while the corrected rows are replayed at the end; null leaves the replay out. */
  readonly replayFaults: readonly Fault[] | null;
}

export interface PlanOptions {
  /** The most rows of a scenario. */
  readonly largest: number;
  /** Only SIGKILL, for a short run that must count. */
  readonly killsOnly: boolean;
  /** In place of the faults drawn: just this one. */
  readonly aim: PlannedAim | null;
}

export interface PlannedAim {
  readonly during: "load" | "replay";
  readonly kind: "point" | "freeze";
  readonly point: number;
}

export function planScenario(seed: string, options: PlanOptions): Plan {
  const random = new Random(seed).fork("plan");
  const kind = random.weighted<KeyKind>({ bigint: 4, uuid: 2, text: 2, numeric: 1, composite: 2, none: 2 });
  const mode = kind === "none" ? "append" : random.weighted<Mode>({ update: 6, ignore: 2, append: 1 });
  const duplicateRate = mode === "append" ? 0 : random.pick([0, 0, 0.01, 0.1, 0.5]);
  const rows = Math.round(2000 * (options.largest / 2000) ** random.next());
  const withoutSchema = mode === "update" && random.chance(0.08);
  const { aim } = options;
  const lasts = aim ? 300_000 : random.int(300, 3000) * 1000;
  return {
    seed,
    mode,
    shape: shapeOf(kind),
    rows,
    files: random.pick([1, 1, 1, 1, 1, 1, 2, 2, 3]),
    gzip: random.chance(0.2),
    dialect: {
      delimiter: random.pick([",", ",", ";", "\t", "|"]),
      nullText: random.pick(["", "", "NULL", "\\N"]),
    },
    badRate: Math.max(random.pick([0, 0.001, 0.01, 0.05]), aim?.during === "replay" ? 0.01 : 0),
    duplicateRate,
    blankRate: random.pick([0, 0.01]),
    keySpellings: random.pick([0, 0, 0.2]),
    initialRate: random.pick([0, 0, 0.1, 0.6]),
    sameRate: random.pick([0, 0.5, 1]),
    dragMicroseconds: Math.round(lasts / rows),
    memory: random.pick([[null], ["128MB"], [null, "128MB", "192MB"]]),
    concurrency: random.pick([[null], [1], [2], [4], [null, 1, 2, 4, 8]]),
    nameKey: random.chance(0.5),
    promiseUnique: duplicateRate === 0 && random.chance(0.3),
    withoutSchema,
    faults: aim ? aimedFaults(aim, "load") : planFaults(random.fork("faults"), { ...options, withoutSchema }),
    jsonl: random.chance(0.5),
    replayFaults: aim
      ? aimedFaults(aim, "replay")
      : random.chance(0.45)
        ? planReplayFaults(random.fork("replay"))
        : null,
  };
}

function aimedFaults({ during, kind, point }: PlannedAim, phase: PlannedAim["during"]): Fault[] {
  const when = { progress: null, afterMs: 0 };
  return during === phase ? [{ kind, point, when, pauseMs: 0, until: "end" }] : [];
}
