import type * as sqlite from "node:sqlite";

// An import would keep an older Node, which has no such module, from getting as far as the sentence of node-version.ts.
const module = process.getBuiltinModule("node:sqlite") as typeof sqlite | undefined;

/** SQLite, as Node brings it. */
export const DatabaseSync = module?.DatabaseSync as typeof sqlite.DatabaseSync;
export type DatabaseSync = sqlite.DatabaseSync;
