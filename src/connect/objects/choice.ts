import { matchesGlob } from "node:path";
import type { Json } from "../../store/contract.ts";
import type { ObjectEntry } from "./contract.ts";

export interface ChoiceOptions {
  /** Only objects whose key matches one of these patterns, such as `*.jpg` or `2024/**`. */
  readonly include?: readonly string[];
  /** No object whose key matches one of these. */
  readonly exclude?: readonly string[];
  /** Only objects that were changed after this time, or in so many milliseconds before they are listed. */
  readonly newer?: Date | number;
}

/** Which objects of a listing are taken. A pattern without a `/` speaks of the last part of a key. */
export class Choice {
  readonly identity: Readonly<Record<string, Json>>;
  readonly #options: ChoiceOptions;
  readonly #newer: number | null;

  constructor(options: ChoiceOptions) {
    const { include, exclude, newer } = options;
    this.#options = options;
    this.#newer = typeof newer === "number" ? Date.now() - newer : (newer?.getTime() ?? null);
    this.identity = {
      ...(include?.length ? { include: [...include] } : {}),
      ...(exclude?.length ? { exclude: [...exclude] } : {}),
      ...(newer === undefined ? {} : { newer: newer instanceof Date ? newer.toISOString() : newer }),
    };
  }

  takes({ key, modified }: ObjectEntry): boolean {
    const { include, exclude } = this.#options;
    if (include?.length && !include.some((pattern) => matches(key, pattern))) return false;
    if (exclude?.some((pattern) => matches(key, pattern))) return false;
    return this.#newer === null || modified === null || modified > this.#newer;
  }
}

function matches(key: string, pattern: string): boolean {
  return matchesGlob(pattern.includes("/") ? key : key.slice(key.lastIndexOf("/") + 1), pattern);
}
