import type { Entry } from "./history.ts";

export type Of<What extends Entry["what"]> = Extract<Entry, { what: What }>;

/** A claim as its worker was told of it. */
export interface Claimed {
  readonly fence: number;
  readonly since: number;
  readonly t: number;
  readonly by: string;
}

/** A settlement that was asked for, and what came back. */
export interface Asked {
  readonly fence: number;
  readonly result: string;
  readonly since: number;
  readonly by: string;
  /** `unknown`: its worker was killed before it was told, or the call failed. */
  readonly answer: "held" | "lost" | "unknown";
  /** When it was answered. */
  readonly t: number;
}

export const ENDED: ReadonlySet<string> = new Set(["succeeded", "dead", "cancelled"]);

/** A history by task. */
export class Index {
  readonly claims: ReadonlyMap<string, readonly Claimed[]>;
  readonly settlements: ReadonlyMap<string, readonly Asked[]>;
  readonly progressed: ReadonlyMap<string, readonly Of<"progressed">[]>;
  readonly began: ReadonlyMap<string, readonly Of<"began">[]>;
  readonly ended: ReadonlyMap<string, readonly Of<"ended">[]>;
  readonly #entries: readonly Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
    this.claims = claimsOf(this.all("claimed"));
    this.settlements = settlementsOf(this.all("settling"), this.all("settled"), this.all("unsettled"));
    this.progressed = Map.groupBy(this.all("progressed"), ({ id }) => id);
    this.began = Map.groupBy(this.all("began"), ({ id }) => id);
    this.ended = Map.groupBy(this.all("ended"), ({ id }) => id);
  }

  /** All entries of a kind, in order. */
  all<What extends Entry["what"]>(what: What): Of<What>[] {
    return this.#entries.filter((entry): entry is Of<What> => entry.what === what);
  }
}

function claimsOf(entries: readonly Of<"claimed">[]): Map<string, Claimed[]> {
  const claims = new Map<string, Claimed[]>();
  for (const { claims: batch, since, t, by } of entries) {
    for (const [id, fence] of batch) added(claims, id, { fence, since, t, by });
  }
  return claims;
}

function settlementsOf(
  asked: readonly Of<"settling">[],
  answered: readonly Of<"settled">[],
  failed: readonly Of<"unsettled">[],
): Map<string, Asked[]> {
  const nameOf = ({ by, call }: { readonly by: string; readonly call: number }) => `${by} ${call}`;
  const answers = new Map(answered.map((entry) => [nameOf(entry), entry]));
  const failures = new Map(failed.map((entry) => [nameOf(entry), entry]));
  const settlements = new Map<string, Asked[]>();
  for (const entry of asked) {
    const answer = answers.get(nameOf(entry));
    const t = answer?.t ?? failures.get(nameOf(entry))?.t ?? Number.POSITIVE_INFINITY;
    const lost = [...(answer?.lost ?? [])];
    // Of two claims of one task in one call the later one is held, if any is; of two words on one claim the first.
    for (const { id, fence, result } of entry.settlements.toReversed().sort((a, b) => a.fence - b.fence)) {
      const at = lost.indexOf(id);
      if (at >= 0) lost.splice(at, 1);
      const said = answer === undefined ? "unknown" : at >= 0 ? "lost" : "held";
      added(settlements, id, { fence, result, since: entry.t, by: entry.by, answer: said, t });
    }
  }
  return settlements;
}

function added<T>(lists: Map<string, T[]>, id: string, item: T): void {
  const list = lists.get(id);
  if (list === undefined) lists.set(id, [item]);
  else list.push(item);
}
