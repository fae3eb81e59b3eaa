import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The module that pins the server, with the checksums of all it is made of. */
const module = join(import.meta.dirname, "go");
const PACKAGE = "github.com/versity/versitygw/cmd/versitygw";

/** Why no S3 server can be had on this machine; null when one can. For `skip`. */
export function whyNoServer(): string | null {
  if (existsSync(binary()) || spawnSync("go", ["version"]).status === 0) return null;
  return "the S3 server of the tests is built once with Go, which is not installed";
}

/**
 * The path of the server. It is built on first use from the Go module proxy, and kept in a cache folder
 * (`PAWL_TEST_CACHE`, or `pawl-test` in the user's) under the checksum of its module files.
 */
export async function serverProgram(): Promise<string> {
  const path = binary();
  // Test files run at the same time, and one compiler is enough.
  while (!existsSync(path)) {
    await using lock = await Lock.take(`${path}.lock`);
    if (lock !== null && !existsSync(path)) await build(path);
  }
  return path;
}

function binary(): string {
  const hash = createHash("sha256");
  for (const name of ["go.mod", "go.sum"]) hash.update(readFileSync(join(module, name)));
  const cache = process.env.PAWL_TEST_CACHE ?? process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(cache, "pawl-test", `versitygw-${hash.digest("hex").slice(0, 16)}`);
}

async function build(path: string): Promise<void> {
  process.stderr.write("Building the S3 server of the tests, once; this takes a minute or two.\n");
  const part = `${path}.${process.pid}`;
  const args = ["build", "-C", module, "-mod=readonly", "-trimpath", "-ldflags=-s -w", "-o", part, PACKAGE];
  const compiler = spawn("go", args, { stdio: ["ignore", "inherit", "inherit"] });
  const [code] = await once(compiler, "exit");
  if (code !== 0) throw new Error(`go ${args.join(" ")} ended with exit code ${code}`);
  await rename(part, path);
}

/** A file that names the process which holds it; one whose process is gone is taken over. */
export class Lock implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Null when another process had it; it has been waited for. */
  static async take(path: string): Promise<Lock | null> {
    await mkdir(join(path, ".."), { recursive: true });
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return new Lock(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = Number(await readFile(path, "utf8").catch(() => ""));
    if (holder > 0 && !lives(holder)) await rm(path, { force: true });
    else await sleep(200);
    return null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
