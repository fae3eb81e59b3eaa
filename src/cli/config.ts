import { lstatSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { environmentValue } from "../environment.ts";
import { errorReason } from "../error-text.ts";
import { PawlError } from "../errors.ts";
import { suggest } from "../near-names.ts";
import { own } from "../own.ts";
import { isPlainObject } from "../plain-object.ts";
import { nameStore, storeLocation } from "../store/internal.ts";
import { isThenable } from "../thenable.ts";
import { isUrl } from "../url-scheme.ts";
import { importModule } from "./options/module.ts";
import { besideResult } from "./terminal/output.ts";

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

/** What every command takes. */
export interface GlobalFlags {
  readonly store?: string;
  readonly config?: string;
  readonly profile?: string;
}

const NAMES = ["pawl.config.ts", "pawl.config.mts", "pawl.config.js", "pawl.config.mjs"];
const PROFILE_KEYS = ["store", "modules", "queues"];

/**
 * The settings for a command line, with absolute paths, and with what the profile says in place of the rest; none where there is no file,
 * and no store where something else names it.
 * Throws the PawlErrors `config.file`, `config.key`, `config.value` and `config.profile`.
 */
export async function settingsOf(flags: GlobalFlags): Promise<PawlProfile> {
  return (await read(flags)).settings;
}

interface ReadSettings {
  readonly settings: PawlProfile;
  /** What of the configuration names the store. */
  readonly source: string;
}

async function read(flags: GlobalFlags): Promise<ReadSettings> {
  const given = flags.config ?? NAMES.find(isThere);
  if (given === undefined) {
    if (flags.profile === undefined) return { settings: {}, source: "" };
    throw new PawlError(
      "config.file",
      `--profile ${flags.profile} needs a configuration, and there is no ${NAMES[0]} in this folder: name it with --config.`,
    );
  }
  const file = resolve(given);
  // What a configuration prints is not the result of a command, which may have to be JSON.
  const module = await besideResult(() => importModule(file, "The configuration"));
  try {
    return settingsIn((module as { default?: unknown }).default, given, flags);
  } catch (error) {
    if (error instanceof PawlError) throw error;
    // A getter of the configuration has thrown.
    throw wrong(`${given} cannot be read: ${errorReason(error)}`);
  }
}

/** A link that leads nowhere is there as well: it is refused when it is imported, and not passed over. */
function isThere(name: string): boolean {
  try {
    return lstatSync(name, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

function settingsIn(config: unknown, given: string, flags: GlobalFlags): ReadSettings {
  if (isThenable(config))
    throw wrong(`${given} exports a promise by default: write await before it, export default await …`);
  assertRecord(config, `${given} must export a configuration by default: export default defineConfig({ … })`);
  assertKeys(config, [...PROFILE_KEYS, "profiles"], given);
  const { profiles = {}, ...base } = config as Record<string, unknown>;
  assertRecord(profiles, `profiles in ${given} must be an object`);
  // All of them, so that a typo in one is found before that profile is needed.
  for (const [name, profile] of Object.entries(profiles)) checkProfile(profile, `${given}, profile ${name}`);
  checkProfile(base, given);
  const chosen = flags.profile === undefined ? {} : own(profiles, flags.profile);
  if (chosen === undefined) {
    const names = Object.keys(profiles);
    const known = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
    throw new PawlError(
      "config.profile",
      `${given} has no profile "${flags.profile}": ${suggest(flags.profile ?? "", names, `${known}.`)}`,
    );
  }
  const { store, modules, queues } = { ...base, ...(chosen as object) } as PawlProfile;
  const folder = dirname(resolve(given));
  const isOfProfile = own(chosen as Record<string, unknown>, "store") !== undefined;
  const source = `store in ${given}${isOfProfile ? `, profile ${flags.profile},` : ""}`;
  const settings = {
    ...(store === undefined || namesStore(flags) ? {} : { store: absoluteLocation(store, source, folder) }),
    ...(modules === undefined ? {} : { modules: modules.map((module) => resolve(folder, module)) }),
    ...(queues === undefined ? {} : { queues }),
  };
  return { settings, source };
}

/**
 * Puts the store that the command line or the configuration names into the environment, where everything looks for it: this process,
 * those it starts, and the commands that it prints to continue with.
 */
export async function chooseStore(flags: GlobalFlags): Promise<void> {
  const { settings, source } = await read(flags);
  if (flags.store !== undefined) nameStore(absoluteLocation(flags.store, "--store"), "--store");
  else if (settings.store !== undefined) nameStore(settings.store, source);
}

/** Whether the command line or the environment names the store: the variable that the configuration names need not be set then. */
function namesStore(flags: GlobalFlags): boolean {
  return flags.store !== undefined || environmentValue("PAWL_STORE") !== undefined;
}

function absoluteLocation(given: string, source: string, folder = ""): string {
  const location = storeLocation(given, source);
  return isUrl(location) ? location : resolve(folder, location);
}

function checkProfile(profile: unknown, where: string): void {
  assertRecord(profile, `${where} must be an object`);
  assertKeys(profile, PROFILE_KEYS, where);
  const { store, modules, queues } = profile;
  if (store !== undefined && (typeof store !== "string" || store === ""))
    throw wrong(`store in ${where} must be a text: a file, postgres://… or env:NAME`);
  if (modules !== undefined && !(Array.isArray(modules) && modules.every(isPath)))
    throw wrong(`modules in ${where} must be a list of paths`);
  if (queues === undefined) return;
  assertRecord(queues, `queues in ${where} must be an object, such as { mail: 16 }`);
  for (const [queue, slots] of Object.entries(queues)) {
    if (!Number.isSafeInteger(slots) || Number(slots) < 1)
      throw wrong(`queue "${queue}" in ${where} must have a whole number of slots, of at least 1`);
  }
}

function isPath(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}

function assertKeys(value: object, known: readonly string[], where: string): void {
  const wrongKey = Object.keys(value).find((key) => !known.includes(key));
  if (wrongKey === undefined) return;
  throw new PawlError(
    "config.key",
    `"${wrongKey}" in ${where} is not a setting: ${suggest(wrongKey, known, `the settings are ${known.join(", ")}.`)}`,
  );
}

function assertRecord(value: unknown, sentence: string): asserts value is Record<string, unknown> {
  // The settings of another object, such as an instance of a class, may be where Object.keys does not find them.
  if (typeof value === "object" && value !== null && isPlainObject(value)) return;
  throw wrong(sentence);
}

function wrong(sentence: string): PawlError {
  return new PawlError("config.value", `${sentence}.`);
}
