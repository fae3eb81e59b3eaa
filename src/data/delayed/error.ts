import { grouped } from "../../count-text.ts";
import { PawlError } from "../../errors.ts";

/** As many names of a way are shown at each of its ends. */
const SHOWN_AT_END = 3;

/** Characters of a name that are shown. */
const LONGEST_NAME = 60;

/**
 * A call of a graph failed: code `delayed.failed`. Its `cause` is what the function threw, whatever that is.
 *
 * @example
 * ```ts
 * const load = delayed((path: string) => JSON.parse(path) as number[], { name: "load" });
 * const error = await load("{").compute().catch((thrown: unknown) => thrown);
 * if (error instanceof DelayedError) console.log(error.path); // [ "load" ]
 * ```
 */
export class DelayedError extends PawlError {
  /** The name of the class. */
  override readonly name = "DelayedError";
  /** The names of calls from the result that was asked for down to the call that failed. */
  readonly path: readonly string[];

  constructor(reason: string, path: readonly string[], options: ErrorOptions) {
    super("delayed.failed", sentence(reason, path), options);
    this.path = path;
  }
}

function sentence(reason: string, path: readonly string[]): string {
  const failed = `The delayed ${shortName(path.at(-1) ?? "")} failed: ${reason}.`;
  return path.length < 2 ? failed : `${failed} It is part of ${wayText(path)}.`;
}

/** `report → merge → score`, of a long way its ends. */
function wayText(path: readonly string[]): string {
  const names = path.map(shortName);
  const hidden = path.length - 2 * SHOWN_AT_END;
  if (hidden < 2) return names.join(" → ");
  const more = `… ${grouped(hidden)} more …`;
  return [...names.slice(0, SHOWN_AT_END), more, ...names.slice(-SHOWN_AT_END)].join(" → ");
}

function shortName(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…`.toWellFormed() : name;
}
