import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PawlError } from "../../../errors.ts";
import { type Account, giveTo } from "./account.ts";
import type { Binaries } from "./binaries.ts";

/** Where PostgreSQL keeps its files inside an embedded directory. */
export function dataDirectory(directory: string): string {
  return join(directory, "data");
}

/** A second reading of `postgresql.conf` may override these; they suit loads on one machine. */
const settings = [
  "listen_addresses = '127.0.0.1'",
  "unix_socket_directories = ''",
  "shared_buffers = '256MB'",
  "max_wal_size = '4GB'",
  "min_wal_size = '256MB'",
  "checkpoint_timeout = '15min'",
  "wal_level = 'minimal'",
  "max_wal_senders = 0",
  "work_mem = '16MB'",
  "maintenance_work_mem = '128MB'",
  // A refused row is an everyday event that the loader reports itself; the log is for the server's own troubles.
  "log_min_messages = 'log'",
  "log_checkpoints = 'off'",
];

/**
 * Creates the database files once. They come into being under another name, so that files under the right name are
 * whole even if this process is killed half-way.
 */
export async function ensureCluster(
  directory: string,
  binaries: Binaries,
  account: Account | null,
): Promise<void> {
  const data = dataDirectory(directory);
  if (existsSync(data)) return;
  for (const name of await readdir(directory)) {
    if (name.startsWith("data-")) await rm(join(directory, name), { recursive: true, force: true });
  }
  const draft = join(directory, `data-${randomBytes(4).toString("hex")}`);
  const password = randomBytes(18).toString("base64url");
  await mkdir(draft, { mode: 0o700 });
  giveTo(draft, account);
  const passwordFile = join(draft, ".password");
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  giveTo(passwordFile, account);
  // initdb wants an empty folder, so the files go one level deeper.
  const inner = join(draft, "data");
  await initialise(binaries, account, [
    `--pgdata=${inner}`,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    ...(await localeFlags(binaries)),
    "--no-sync",
  ]);
  await appendFile(join(inner, "postgresql.conf"), `\n# Pawl\n${settings.join("\n")}\n`);
  await writeFile(join(directory, "password"), password, { mode: 0o600 });
  await rename(inner, data);
  await rm(draft, { recursive: true, force: true });
}

/** The built-in C.UTF-8 compares bytes, which is the fastest, and knows the case of every letter; 17 brought it. */
async function localeFlags(binaries: Binaries): Promise<string[]> {
  const version = await output(binaries.initdb, ["--version"], null);
  const major = Number(/\s(\d+)/.exec(version.text)?.[1] ?? 0);
  return major >= 17 ? ["--locale-provider=builtin", "--locale=C.UTF-8"] : ["--locale=C"];
}

async function initialise(binaries: Binaries, account: Account | null, flags: string[]): Promise<void> {
  const { code, text } = await output(binaries.initdb, flags, account);
  if (code === 0) return;
  const reason = text.trim().split("\n").at(-1) ?? "";
  throw new PawlError(
    "postgres.embedded.init",
    `The embedded PostgreSQL could not create its files (${reason}): free some space or mend the permissions of the folder, then try again.`,
  );
}

function output(
  program: string,
  flags: string[],
  account: Account | null,
): Promise<{ code: number | null; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; text: string }>();
  const child = spawn(program, flags, {
    ...account,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, LC_ALL: "C" },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
  }
  child.on("error", reject);
  child.on("close", (code) => resolve({ code, text }));
  return promise;
}
