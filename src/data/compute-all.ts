import { assertObject, quoted } from "../arguments.ts";
import { PawlError } from "../errors.ts";
import { setOwn } from "../own.ts";
import { DelayedCall } from "./delayed/call.ts";
import { type ComputeOptions, computeCalls } from "./delayed/compute.ts";
import type { Delayed } from "./delayed/delayed.ts";

/** What a lazy value gives when it is computed. */
export type Computed<V> = V extends Delayed<infer T> ? T : never;

/**
 * Several results at once: what they have in common is computed once.
 *
 * @throws as `Delayed.compute`; PawlError `argument.object`, and `data.compute-all` for a value that cannot be computed
 * @example
 * ```ts
 * const square = delayed((x: number) => x * x, { name: "square" });
 * const plusOne = delayed((x: number) => x + 1, { name: "plusOne" });
 * const nine = square(3);
 * console.log(await computeAll({ nine, ten: plusOne(nine) })); // { nine: 9, ten: 10 }
 * ```
 */
export async function computeAll<R extends Readonly<Record<string, Delayed<unknown>>>>(
  results: R,
  options: ComputeOptions = {},
): Promise<{ [K in keyof R]: Computed<R[K]> }> {
  assertObject(results, "What computeAll takes");
  const names = Object.keys(results);
  const calls = Object.entries(results).map(([name, value]: [string, unknown]) => {
    if (value instanceof DelayedCall) return value;
    throw new PawlError(
      "data.compute-all",
      `computeAll takes delayed values by name, but ${quoted(name)} is ${quoted(value)}: give it as it is, without computeAll.`,
    );
  });
  const values = await computeCalls(calls, options);
  const computed: Record<string, unknown> = {};
  for (const [at, name] of names.entries()) setOwn(computed, name, values[at]);
  return computed as { [K in keyof R]: Computed<R[K]> };
}
