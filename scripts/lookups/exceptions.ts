import type { Lookup } from "./lookups.ts";

/** Lookups that a key of any text may make, each with the reason. */
export interface Exception extends Pick<Lookup, "file" | "text"> {
  readonly because: string;
}

export const exceptions: readonly Exception[] = [
  {
    file: "src/connect/csv/rows/plain-row-decoder.ts",
    text: "row[columns[index] as string]",
    because: "a row with a column __proto__ is made in another way, and this is the loop that all others run",
  },
  {
    file: "src/store/json-text.ts",
    text: "(value as Holder)[name]",
    because: "the names are those that the object itself has, and this looks at every value that is stored",
  },
  {
    file: "src/store/json-text.ts",
    text: "Reflect.get(this, name)",
    because: "JSON.stringify has just read the same property of the same object",
  },
  {
    file: "src/cli/runs/run.ts",
    text: "Reflect.get(target, name, receiver)",
    because: "a job module finds in its parameters what it would find in the object itself",
  },
  {
    file: "src/cli/runs/run.ts",
    text: "Reflect.has(target, name)",
    because: "a job module finds in its parameters what it would find in the object itself",
  },
  {
    file: "src/pool/callable/callable.ts",
    text: "namespace[each]",
    because: "the keys are those of the module itself, whose namespace inherits nothing",
  },
  {
    file: "src/pool/actor/handle.ts",
    text: "Reflect.get(inherited, name, receiver)",
    because: "a handle has what every object has",
  },
  {
    file: "src/pool/actor/worker/actor-server.ts",
    text: "this.#instance[call.method]",
    because: "the handle offers only names that methodsOf has found on this object",
  },
  {
    file: "src/pool/callable/inline/known-globals.ts",
    text: "name in globalThis",
    because: "the name is one of a list, and an identifier of a program finds what globalThis inherits",
  },
  {
    file: "src/pool/callable/inline/shadowed-globals.ts",
    text: "member in globalThis.crypto",
    because: "it asks what crypto.member would find, inherited or not",
  },
  {
    file: "src/pool/callable/inline/shadowed-globals.ts",
    text: 'member in process.getBuiltinModule("node:crypto")',
    because: "it asks what crypto.member would find, inherited or not",
  },
  {
    file: "src/pool/transfer/remote-error.ts",
    text: "Reflect.get(thrown, key)",
    because: "the keys are the error's own, or names that stand in the program",
  },
];
