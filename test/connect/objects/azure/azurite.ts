import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { copyFile, mkdir, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Lock } from "../s3/build.ts";
import type { AzureAccess, BlobServer } from "./access.ts";
import { AzureTestClient } from "./client.ts";

/** The package that pins the server, with the checksums of all it is made of. */
const module = join(import.meta.dirname, "azurite");
const PINNED = ["package.json", "package-lock.json"];
const ACCOUNT = "pawltest";

/** Why no Azurite can be had here; null when one can. Only who asks for it gets it, since it is large. */
export function whyNoAzurite(): string | null {
  if (existsSync(folder())) return null;
  if (/(^|,)\s*azurite\s*(,|$)/.test(process.env.PAWL_REQUIRE ?? "")) return null;
  return "Azurite is installed once (186 MB from npm) where PAWL_REQUIRE names azurite";
}

/**
 * Installed from npm on first use, and kept in a cache folder (`PAWL_TEST_CACHE`, or `pawl-test` in the user's) under the checksum of
 * its lock file.
 */
function folder(): string {
  const hash = createHash("sha256");
  for (const name of PINNED) hash.update(readFileSync(join(module, name)));
  const cache = process.env.PAWL_TEST_CACHE ?? process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(cache, "pawl-test", `azurite-${hash.digest("hex").slice(0, 16)}`);
}

async function installed(): Promise<string> {
  const path = folder();
  while (!existsSync(path)) {
    await using lock = await Lock.take(`${path}.lock`);
    if (lock !== null && !existsSync(path)) await install(path);
  }
  return path;
}

async function install(path: string): Promise<void> {
  process.stderr.write("Installing the Azurite of the tests, once; this takes a minute or two.\n");
  const part = `${path}.${process.pid}`;
  await mkdir(part, { recursive: true });
  for (const name of PINNED) await copyFile(join(module, name), join(part, name));
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  const npm = spawn("npm", args, { cwd: part, stdio: ["ignore", "ignore", "inherit"] });
  const [code] = await once(npm, "exit");
  if (code !== 0) throw new Error(`npm ${args.join(" ")} ended with exit code ${code}`);
  await rename(part, path);
}

/** Microsoft's emulator of Azure Blob, in memory, on a free port. */
export class Azurite implements BlobServer {
  readonly access: AzureAccess;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, access: AzureAccess) {
    this.#process = process;
    this.access = access;
  }

  static async start(): Promise<Azurite> {
    const program = join(await installed(), "node_modules/azurite/dist/src/blob/main.js");
    // Must never be seen in what Pawl prints or keeps.
    const key = Buffer.from("test-Secret-4417").toString("base64");
    const args = [
      "--blobHost",
      "127.0.0.1",
      "--blobPort",
      "0",
      "--inMemoryPersistence",
      "--disableTelemetry",
    ];
    const server = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, AZURITE_ACCOUNTS: `${ACCOUNT}:${key}` },
      stdio: ["ignore", "pipe", "inherit"],
    });
    // A test that dies leaves no server behind.
    const end = () => server.kill("SIGKILL");
    process.once("exit", end);
    server.once("exit", () => process.removeListener("exit", end));
    for await (const line of createInterface({ input: server.stdout })) {
      const port = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port === undefined) continue;
      server.stdout.resume();
      const endpoint = `http://127.0.0.1:${port}/${ACCOUNT}`;
      return new Azurite(server, { endpoint, account: ACCOUNT, key });
    }
    throw new Error("Azurite ended before it listened.");
  }

  async container(name: string): Promise<AzureTestClient> {
    const client = new AzureTestClient(this.access, name);
    await client.create();
    return client;
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await ended;
  }
}
