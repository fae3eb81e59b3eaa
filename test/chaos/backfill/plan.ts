import { type Fault, planFaults } from "../faults.ts";
import { Random } from "../random.ts";

/** Kinds of keys, with the values of the rows `n` of a table. */
const keys = {
  bigint: { columns: "id bigint", values: "9007199254740000 + n * 13", primary: "id" },
  uuid: { columns: "id uuid", values: "md5(n::text)::uuid", primary: "id" },
  text: {
    columns: `id text COLLATE "C"`,
    values: `(array['ä','B','"',',','{}','\\','null',''])[n % 8 + 1] || n`,
    primary: "id",
  },
  composite: { columns: "tenant int, id text", values: "n % 3, 'row ' || n", primary: "tenant, id" },
} as const;

/** All that a backfill's scenario is, drawn from its seed alone. */
export interface BackfillPlan {
  readonly seed: string;
  readonly key: (typeof keys)[keyof typeof keys];
  readonly kind: string;
  readonly rows: number;
  /** By an expression where the rows are, or by a transform of the user's. */
  readonly way: "set" | "step";
  /** One in so many rows is refused by the table; 0 for none. */
  readonly refused: number;
  /** Whether only two rows of three are meant. */
  readonly filtered: boolean;
  /** Whether others change rows meanwhile, of which nothing may be lost. */
  readonly meddled: boolean;
  /** What the audit trigger sleeps for each row on average, so that small tables last. */
  readonly dragMicroseconds: number;
  readonly commitTimes: readonly string[];
  readonly concurrency: readonly (number | null)[];
  readonly faults: readonly Fault[];
}

export function planBackfill(
  seed: string,
  options: { readonly largest: number; readonly killsOnly: boolean },
): BackfillPlan {
  const random = new Random(seed).fork("backfill");
  const kind = random.pick(Object.keys(keys) as (keyof typeof keys)[]);
  const rows = Math.round(1000 * (Math.max(1000, options.largest) / 1000) ** random.next());
  return {
    seed,
    kind,
    key: keys[kind],
    rows,
    way: random.pick(["set", "step"]),
    refused: random.pick([0, 0, 97, 700]),
    filtered: random.chance(0.4),
    meddled: random.chance(0.5),
    dragMicroseconds: Math.round((random.int(300, 3000) * 1000) / rows),
    commitTimes: random.pick([["20ms"], ["5ms", "100ms"], ["200ms"]]),
    concurrency: random.pick([[null], [1], [4], [null, 1, 2, 4]]),
    faults: planFaults(random.fork("faults"), { ...options, withoutSchema: false }),
  };
}
