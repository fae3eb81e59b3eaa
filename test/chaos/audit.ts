import { createHash } from "node:crypto";
import { expect } from "./mismatch.ts";
import type { Oracle } from "./oracle.ts";
import type { Mode } from "./plan.ts";
import type { Effect } from "./target.ts";

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

/**
 * Every committed effect, in order, is what one pass over the files could have done: for each key the states of its
 * row are some of the rows that came for it, each at most once and in file order, and the last of them is the last.
 * A chunk done twice shows as a state that came back, or as a row inserted again. `again`: the next loader may do the
 * last chunk once more, whose rows with one key may have been written one after the other.
 */
export function checkAudit(mode: Mode, oracle: Oracle, effects: readonly Effect[], again: boolean): void {
  const byKey = Map.groupBy(effects, ({ key }) => key);
  for (const key of byKey.keys()) {
    expect(oracle.arrivals.has(key), () => `a row was touched that no good row came for: ${show(key)}`);
  }
  for (const [key, arrivals] of oracle.arrivals) {
    const before = oracle.initial.get(key);
    const seen = byKey.get(key) ?? [];
    const problem =
      mode === "update" ? update(before, arrivals, seen, again) : insert(mode, before, arrivals, seen);
    expect(problem === null, () => `${problem} for the key ${show(key)}: ${story(arrivals, seen)}`);
  }
}

/** Each state is a later arrival than the state before it, and differs from it. */
function update(
  before: string | undefined,
  arrivals: readonly string[],
  seen: readonly Effect[],
  again: boolean,
): string | null {
  const hashes = arrivals.map(md5);
  let state = before === undefined ? null : md5(before);
  let next = 0;
  let last: string | null = null;
  for (const { op, hash, loader } of seen) {
    if (again && loader !== last) next = 0;
    last = loader;
    if (op !== (state === null ? "INSERT" : "UPDATE")) return `an unexpected ${op}`;
    if (hash === state) return "a row was written that had not changed";
    const at = hashes.indexOf(hash, next);
    if (at < 0) return "more effects than the file has rows, or out of order";
    next = at + 1;
    state = hash;
  }
  return state === hashes.at(-1) ? null : "the last row did not win";
}

/** `ignore`: one insert of the first arrival where there was none. `append`: one insert for each. */
function insert(
  mode: Mode,
  before: string | undefined,
  arrivals: readonly string[],
  seen: readonly Effect[],
): string | null {
  const kept = before === undefined ? arrivals.slice(0, 1) : [];
  const expected = (mode === "ignore" ? kept : arrivals).map((row) => `INSERT ${md5(row)}`);
  const actual = seen.map(({ op, hash }) => `${op} ${hash}`);
  return expected.sort().join() === actual.sort().join() ? null : "not the effects of one pass";
}

function story(arrivals: readonly string[], seen: readonly Effect[]): string {
  const names = new Map(arrivals.map((row, index) => [md5(row), `row ${index + 1}`]));
  const effects = seen.map(({ op, hash, loader }) => `${op} ${names.get(hash) ?? "?"} by ${loader}`);
  return `${arrivals.length} rows came; ${effects.join(", ") || "no effect"}`;
}

function show(key: string): string {
  return JSON.stringify(key);
}
