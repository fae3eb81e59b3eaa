import type { OptionNames } from "../../../arguments.ts";
import { type Duration, optionalMilliseconds } from "../../../durations.ts";
import { PawlError } from "../../../errors.ts";
import type { Json } from "../../../store/contract.ts";
import type { ObjectEntry } from "../contract.ts";
import { KeyPattern } from "./key-pattern.ts";

/** Which objects of a location are chosen: those that an `include` matches, where there is one, and no `exclude`. */
export interface SelectionOptions {
  /**
   * Only objects whose key matches one of these patterns, such as `*.jpg` or `2024/**`. A star matches any characters but `/`, a
   * dot too; a pattern without a `/` is compared with the last part of a key.
   * @default all objects
   */
  readonly include?: readonly string[];
  /**
   * No object whose key matches one of these patterns, whatever `include` says.
   * @default none
   */
  readonly exclude?: readonly string[];
  /**
   * Only objects that were changed after this time, or, of a duration such as `"24h"`, after so long before the options were given.
   * Objects of which the location does not tell when they were changed are taken.
   * @default objects of any age
   */
  readonly newer?: Date | Duration;
}

export const SELECTION_OPTIONS: OptionNames<SelectionOptions> = { include: true, exclude: true, newer: true };

/** Which objects of a listing are taken: those that an `include` matches, where there is one, and no `exclude`. */
export class ObjectSelection {
  readonly identity: Readonly<Record<string, Json>>;
  readonly #include: readonly KeyPattern[];
  readonly #exclude: readonly KeyPattern[];
  readonly #newer: number | null;

  /** Throws a PawlError where a text is not a pattern, or where nothing could ever be chosen. */
  constructor({ include = [], exclude = [], newer }: SelectionOptions) {
    this.#include = include.map((text) => new KeyPattern(text, "include"));
    this.#exclude = exclude.map((text) => new KeyPattern(text, "exclude"));
    const since = newer instanceof Date ? newer : optionalMilliseconds(newer, "`newer`");
    this.#newer = typeof since === "number" ? Date.now() - since : (since?.getTime() ?? null);
    this.identity = {
      ...(include.length > 0 ? { include: [...include] } : {}),
      ...(exclude.length > 0 ? { exclude: [...exclude] } : {}),
      ...(since === undefined ? {} : { newer: since instanceof Date ? since.toISOString() : since }),
    };
    const all = this.#exclude.find((pattern) => pattern.coversAllOf("/"));
    if (all !== undefined)
      throw new PawlError(
        "copy.pattern",
        `\`exclude\` "${all.text}" leaves nothing: \`exclude\` goes before \`include\`, wherever it stands. Leave it out to take only what \`include\` matches.`,
      );
  }

  includes({ key, modified, problem }: ObjectEntry): boolean {
    // A folder that could not be read stands for all that may lie in it.
    if (problem !== undefined && key.endsWith("/"))
      return !this.skips(key) && !this.#exclude.some((pattern) => pattern.matches(key.slice(0, -1)));
    if (this.#include.length > 0 && !this.#include.some((pattern) => pattern.matches(key))) return false;
    if (this.#exclude.some((pattern) => pattern.matches(key))) return false;
    return this.#newer === null || modified === null || modified > this.#newer;
  }

  /** Whether nothing below a folder can be taken, whose key ends in `/`. */
  skips(folder: string): boolean {
    if (this.#exclude.some((pattern) => pattern.coversAllOf(folder))) return true;
    return this.#include.length > 0 && !this.#include.some((pattern) => pattern.reachesInto(folder));
  }

  /** Says that nothing is left of a location in which so many objects were listed. */
  nothingLeft(location: string, listed: number): string {
    const given = [
      ...this.#include.map(({ text }) => `\`include\` "${text}"`),
      ...this.#exclude.map(({ text }) => `\`exclude\` "${text}"`),
      ...(this.#newer === null ? [] : [`\`newer\` ${new Date(this.#newer).toISOString()}`]),
    ];
    const nothing = `There is nothing to copy in ${location}: check the name and the patterns.`;
    if (given.length === 0) return nothing;
    const slash = this.#include.some(({ text }) => text.startsWith("/"))
      ? " Keys do not begin with a /, and a pattern that does matches none of them."
      : "";
    const none =
      listed === 1
        ? "The one object that was listed is not"
        : `Of ${listed} objects that were listed none is`;
    return `${nothing} ${none} chosen by ${given.join(" and ")}.${slash}`;
  }
}
