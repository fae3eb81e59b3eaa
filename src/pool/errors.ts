import { PawlError } from "../errors.ts";

/**
 * An item or a call ran longer than its hard limit: code `pool.timeout`, of an `each` `each.timeout`.
 *
 * @example
 * ```ts
 * await using pool = new Pool();
 * const never = async () => await new Promise(() => setInterval(() => {}, 1_000));
 * const error = await pool.map(never, [1], { timeout: "100ms" }).catch((thrown: unknown) => thrown);
 * console.log(error instanceof TimeLimitError); // true
 * ```
 */
export class TimeLimitError extends PawlError {
  /** The name of the class. */
  override readonly name = "TimeLimitError";
}

/**
 * The actor died while it ran the call, or before it could: code `pool.actor-died`. What it knew since the last save is lost.
 *
 * @example
 * ```ts
 * class Model {
 *   crash() {
 *     process.exit(1);
 *   }
 * }
 * callable(import.meta, Model);
 *
 * if (import.meta.main) {
 *   await using model = await actor(Model, []);
 *   const error = await model.crash().catch((thrown: unknown) => thrown);
 *   console.log(error instanceof ActorDiedError); // true
 * }
 * ```
 */
export class ActorDiedError extends PawlError {
  /** The name of the class. */
  override readonly name = "ActorDiedError";
}

/**
 * The worker died while it ran an item, whose index is the `index` of the error: code `pool.worker-died`.
 *
 * @example
 * ```ts
 * await using pool = new Pool({ isolate: "process" });
 * const error = await pool.map((n: number) => process.exit(n), [1]).catch((thrown: unknown) => thrown);
 * console.log(error instanceof WorkerDiedError); // true
 * ```
 */
export class WorkerDiedError extends PawlError {
  /** The name of the class. */
  override readonly name = "WorkerDiedError";
}

/** Why what a worker awaits would never end. `what` begins the sentence. */
export function neverEnds(what: string): PawlError {
  return new PawlError(
    "pool.inherited-then",
    `${what} let all objects inherit a function "then", so that nothing that its worker awaits can end: define it on objects of its own.`,
  );
}
