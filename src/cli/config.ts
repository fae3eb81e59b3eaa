/** What a profile of the configuration says, and the configuration itself for all profiles. */
export interface PawlProfile {
  /**
   * Where runs and tasks are stored: a file, a `postgres://` URL, or `env:NAME` for the variable that holds one.
   * @default `.pawl/store.db` in the working directory
   */
  readonly store?: string;
  /** The modules that `pawl worker` imports when it is given none. */
  readonly modules?: readonly string[];
  /**
   * The queues that `pawl worker` works on, and how many tasks of each run at once.
   * @default the queues of the tasks, with one slot for each core
   */
  readonly queues?: Readonly<Record<string, number>>;
}

/** The configuration of the `pawl` command. Paths in it are relative to the folder of its file. */
export interface PawlConfig extends PawlProfile {
  /** What differs where `--profile` gives the name, such as in production. */
  readonly profiles?: Readonly<Record<string, PawlProfile>>;
}

/**
 * Types the default export of `pawl.config.ts`, which the `pawl` command finds in the working folder, or where `--config` says.
 * What the command line gives wins over the environment, and the environment wins over the configuration.
 *
 * @example
 * ```ts
 * // pawl.config.ts
 * import { defineConfig } from "pawl";
 *
 * export default defineConfig({
 *   modules: ["tasks.ts"],
 *   queues: { mail: 16, reports: 2 },
 *   profiles: { production: { store: "env:DATABASE_URL" } },
 * });
 * ```
 */
export function defineConfig(config: PawlConfig): PawlConfig {
  return config;
}
