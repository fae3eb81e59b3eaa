import { readFile } from "node:fs/promises";
import { PawlError } from "../../errors.ts";

/** Parameters as a job module gets them, which remember what it asked for. */
export interface AskedParams {
  readonly params: Readonly<Record<string, string>>;
  /** Throws a PawlError `usage.param` for a parameter that the module at this path has no use for. */
  check(path: string): Promise<void>;
}

/**
 * Watches what a job module asks of its parameters, since one that was mistyped would be left out without a word, and
 * the job would do something else than was meant.
 */
export function askedParams(given: Readonly<Record<string, string>>): AskedParams {
  const asked = new Set<string>();
  let asksAll = false;
  const note = (name: string | symbol) => void (typeof name === "string" && asked.add(name));
  const params = new Proxy(given, {
    get: (target, name, receiver) => {
      note(name);
      return Reflect.get(target, name, receiver);
    },
    has: (target, name) => {
      note(name);
      return Reflect.has(target, name);
    },
    getOwnPropertyDescriptor: (target, name) => {
      note(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    ownKeys: (target) => {
      asksAll = true;
      return Reflect.ownKeys(target);
    },
  });
  return {
    params,
    check: async (path) => {
      const unasked = Object.keys(given).filter((name) => !asked.has(name));
      if (asksAll || unasked.length === 0) return;
      // A parameter may also be asked for later, by a step: then its name stands in the module.
      const source = await readFile(path, "utf8");
      const name = unasked.find((each) => !source.includes(each));
      if (name === undefined) return;
      const others = [...asked].filter((each) => each !== "then" && each !== "toJSON");
      throw new PawlError(
        "usage.param",
        `--param ${name} is not used by ${path}${others.length > 0 ? `, which asks for ${others.join(", ")}` : ""}: check how it is spelled, or leave it out.`,
      );
    },
  };
}
