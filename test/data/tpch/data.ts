import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, existsSync, globSync, readFileSync } from "node:fs";
import { copyFile, mkdir, readFile, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Lock } from "../../connect/objects/s3/build.ts";

/** What pins the data: DuckDB and its extension by version and checksum, and the files that they must make. */
const pins = join(import.meta.dirname, "pins");
const PINNED = ["package.json", "package-lock.json", "requirements.txt", "parquet.sha256"];
const WHEEL = "duckdb_extension_tpch/extensions/v1.5.5/tpch.duckdb_extension";

export interface Question {
  /** 1 to 22. */
  readonly number: number;
  /** As DuckDB asks it, over tables of TPC-H's names. */
  readonly sql: string;
  /** The known answer: columns divided by `|`, the first line their names. */
  readonly answer: string;
}

/** TPC-H at scale factor 1: 8 tables, 326 MB of Parquet, 22 questions and their known answers. */
export interface TpchData {
  readonly directory: string;
  readonly tables: readonly string[];
  readonly questions: readonly Question[];
  /** The path of a table's file. */
  file(table: string): string;
}

/**
 * The data, which is made on first use and kept in a cache folder (`PAWL_TEST_CACHE`, or `pawl-test` in the user's) under the checksum of
 * what pins it. DuckDB's extension `tpch` comes from PyPI, and the DuckDB that loads it from npm.
 */
export async function tpchData(): Promise<TpchData> {
  const directory = folder();
  while (!existsSync(directory)) {
    await using lock = await Lock.take(`${directory}.lock`);
    if (lock !== null && !existsSync(directory)) await make(directory);
  }
  const questions = JSON.parse(await readFile(join(directory, "questions.json"), "utf8")) as Question[];
  const tables = pinnedFiles().map(([name]) => name.replace(/\.parquet$/, ""));
  return { directory, tables, questions, file: (table) => join(directory, `${table}.parquet`) };
}

/** Why the data cannot be had here; null when it can. For `skip`. */
export function whyNoTpch(): string | null {
  if (existsSync(folder())) return null;
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the data of TPC-H are made by DuckDB's extension for Linux on x64";
  if (spawnSync("python3", ["-m", "pip", "--version"]).status === 0) return null;
  return "the data of TPC-H are made once with an extension from PyPI, and pip is not installed";
}

function folder(): string {
  const hash = createHash("sha256");
  for (const name of PINNED) hash.update(readFileSync(join(pins, name)));
  const cache = process.env.PAWL_TEST_CACHE ?? process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(cache, "pawl-test", `tpch-${hash.digest("hex").slice(0, 16)}`);
}

async function make(directory: string): Promise<void> {
  process.stderr.write("Making the data of TPC-H for the tests, once; this takes half a minute.\n");
  const part = `${directory}.${process.pid}`;
  await rm(part, { recursive: true, force: true });
  await mkdir(part, { recursive: true });
  for (const name of PINNED) await copyFile(join(pins, name), join(part, name));
  await command("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], part);
  const download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
  await command(
    "python3",
    [...download, "--require-hashes", "--dest", "wheel", "-r", "requirements.txt"],
    part,
  );
  const [wheel = ""] = globSync("wheel/*.whl", { cwd: part });
  await command("python3", ["-m", "zipfile", "-e", wheel, "wheel"], part);
  const program = join(import.meta.dirname, "fixtures", "make.ts");
  await command(process.execPath, [program, part, join(part, "wheel", WHEEL)], part);
  for (const [name, pinned] of pinnedFiles()) {
    const made = await checksumOf(join(part, name));
    if (made !== pinned) throw new Error(`${name} of TPC-H came out as ${made}, and ${pinned} is pinned`);
  }
  for (const name of ["node_modules", "wheel"]) await rm(join(part, name), { recursive: true });
  await rename(part, directory);
}

async function command(program: string, args: readonly string[], cwd: string): Promise<void> {
  const child = spawn(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with exit code ${code}`);
}

function pinnedFiles(): (readonly [name: string, checksum: string])[] {
  const lines = readFileSync(join(pins, "parquet.sha256"), "utf8").trim().split("\n");
  return lines.map((line) => {
    const [checksum = "", name = ""] = line.split(/\s+/);
    return [name, checksum];
  });
}

async function checksumOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
