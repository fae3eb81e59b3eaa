/**
 * The house of `src/`, lowest floor first: what stands on what. An entry is a floor, or one file of a floor where
 * only its contract is meant to be seen. The files of `foundation` lie below all and need not be named.
 */
export const floors: Readonly<Record<string, readonly string[]>> = {
  store: [],
  pool: [],
  doctor: [],
  tasks: ["store", "pool"],
  batch: ["store", "pool", "tasks"],
  // The ends of batch: they know the contracts of the work, not how it is run.
  connect: ["store/contract.ts", "batch/contract.ts", "pool"],
  data: ["store/contract.ts", "pool", "batch", "connect"],
  advise: ["store", "pool", "doctor", "tasks", "batch", "data", "connect"],
  web: ["store", "pool", "doctor", "tasks", "batch", "data", "connect", "advise"],
  cli: ["store", "pool", "doctor", "tasks", "batch", "data", "connect", "advise", "web"],
};

/** Files that lie in `src/` itself, below every floor. */
export const foundation: readonly string[] = [
  "arguments.ts",
  "canonical-json.ts",
  "clip.ts",
  "count-text.ts",
  "durations.ts",
  "environment.ts",
  "error-codes.ts",
  "error-text.ts",
  "errors.ts",
  "file-format.ts",
  "near-names.ts",
  "node-version.ts",
  "own.ts",
  "plain-object.ts",
  "postgres-client.ts",
  "postgres-errors.ts",
  "postgres-ownership.ts",
  "postgres-url.ts",
  "private-folder.ts",
  "process-mark.ts",
  "rate-limit.ts",
  "retry-after.ts",
  "retry.ts",
  "sizes.ts",
  "sqlite.ts",

  "thenable.ts",
  "timers.ts",
  "transient-errors.ts",
  "uncloneable.ts",
  "url-scheme.ts",
  "visible.ts",
];

/** The floor of a path relative to `src/`; undefined for a file that lies in `src/` itself. */
export function floorOf(path: string): string | undefined {
  const slash = path.indexOf("/");
  return slash < 0 ? undefined : path.slice(0, slash);
}

/**
 * Whether a path relative to `src/` is a door of its floor: `index.ts` for users, `internal.ts` for the floors above, and
 * `contract.ts`. The parts of `connect` have doors of their own.
 */
export function isDoor(path: string): boolean {
  return /^(connect\/)?[^/]+\/(index|internal|contract)\.ts$/.test(path);
}
