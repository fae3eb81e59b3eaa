import { spawn } from "node:child_process";
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { appendFile, chown, lchown, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PawlError } from "../../../errors.ts";
import { admitGroup, makeFolder } from "../../../private-folder.ts";
import { mayReach, named, type ServerAccount } from "./account.ts";
import type { Binaries } from "./binaries.ts";

/** Where root's servers keep their files if their account may not enter the folder they belong to. */
const APART = "/var/lib/pawl";

/** Where PostgreSQL keeps its files: inside an embedded directory, or where the file `data-at` in it says. */
export function dataDirectory(directory: string): string {
  return join(apart(directory) ?? directory, "data");
}

function apart(directory: string): string | null {
  try {
    return readFileSync(join(directory, "data-at"), "utf8").trim();
  } catch {
    return null;
  }
}

/**
 * Chooses the folder that holds the data, once. It is the embedded directory, unless the server's account cannot get
 * there: then a folder of a name that no other user can guess, which is noted before it is made, so that a kill leaves no
 * files that nothing knows of.
 */
function chooseHome(directory: string, account: ServerAccount | null): string {
  const noted = apart(directory);
  if (noted !== null) return noted;
  admit(directory, account);
  if (mayReach(dataDirectory(directory), account)) return directory;
  const folder = join(APART, `postgres-${randomBytes(12).toString("hex")}`);
  writeFileSync(join(directory, "data-at"), folder, { mode: 0o600, flag: "wx" });
  return folder;
}

/** Lets the server's account pass through the state folder that an embedded directory lies in. */
function admit(directory: string, account: ServerAccount | null): void {
  if (account !== null && mayReach(dirname(directory), account)) admitGroup(dirname(directory), account.gid);
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
  account: ServerAccount | null,
): Promise<void> {
  const data = dataDirectory(directory);
  if (existsSync(data)) {
    // The files may have been put back, or lie on a volume, under a state folder that is new.
    if (!mayReach(data, account)) admit(directory, account);
    return assertReach(data, account);
  }
  // The port is chosen once the files are whole.
  if (existsSync(join(directory, "port"))) throw missingData(data, directory);
  const home = chooseHome(directory, account);
  makeFolder(home, 0o711);
  assertReach(join(home, "data"), account);
  for (const name of await readdir(home)) {
    if (name.startsWith("draft-")) await rm(join(home, name), { recursive: true, force: true });
  }
  const draft = join(home, `draft-${randomBytes(4).toString("hex")}`);
  const password = randomBytes(18).toString("base64url");
  const maker = account === null ? null : named;
  await mkdir(draft, { mode: 0o700 });
  const passwordFile = join(draft, ".password");
  // Not the password itself: other programs of the account that initdb runs as could read it.
  await writeFile(passwordFile, `${scramVerifier(password)}\n`, { mode: 0o600 });
  if (maker !== null) {
    for (const path of [passwordFile, draft]) await chown(path, maker.uid, maker.gid);
  }
  // initdb wants an empty folder, so the files go one level deeper.
  const inner = join(draft, "data");
  await initialise(binaries, maker, [
    `--pgdata=${inner}`,
    "--username=postgres",
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    ...(await localeFlags(binaries)),
    "--no-sync",
  ]);
  if (account !== null) await giveTree(draft, account);
  await appendFile(join(inner, "postgresql.conf"), `\n# Pawl\n${settings.join("\n")}\n`);
  await writeFile(join(directory, "password"), password, { mode: 0o600 });
  await rename(inner, join(home, "data"));
  await rm(draft, { recursive: true, force: true });
}

/** Hands a folder with all that is in it to the server's account. Nothing in it is followed if it is a link. */
async function giveTree(folder: string, { uid, gid }: ServerAccount): Promise<void> {
  await lchown(folder, uid, gid);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    await lchown(join(entry.parentPath, entry.name), uid, gid);
  }
}

function assertReach(data: string, account: ServerAccount | null): void {
  if (mayReach(data, account)) return;
  throw new PawlError(
    "postgres.embedded.folder",
    `PostgreSQL does not run as root, and the account it runs as instead may not enter the folders above ${data}: ` +
      "let everyone enter them, run as an ordinary user, or name a server with `url`.",
  );
}

function missingData(data: string, directory: string): PawlError {
  return new PawlError(
    "postgres.embedded.data",
    `The files of the embedded PostgreSQL are not in ${data} any more: put them back, or remove ${directory} to begin with an empty server.`,
  );
}

/** What a server needs to know of its surroundings. The rest of ours may hold secrets, and SQL could read it. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const { PATH, TZ, LD_LIBRARY_PATH, SystemRoot, TEMP, TMP } = process.env;
  return { LC_ALL: "C", PATH, TZ, LD_LIBRARY_PATH, SystemRoot, TEMP, TMP };
}

/** The built-in C.UTF-8 compares bytes, which is the fastest, and knows the case of every letter; 17 brought it. */
async function localeFlags(binaries: Binaries): Promise<string[]> {
  const version = await output(binaries.initdb, ["--version"], null);
  const major = Number(/\s(\d+)/.exec(version.text)?.[1] ?? 0);
  return major >= 17 ? ["--locale-provider=builtin", "--locale=C.UTF-8"] : ["--locale=C"];
}

async function initialise(binaries: Binaries, account: ServerAccount | null, flags: string[]): Promise<void> {
  const { code, text } = await output(binaries.initdb, flags, account);
  if (code === 0) return;
  throw initFailure(text.trim().split("\n").at(-1) ?? "");
}

/** Why `initdb` did not make the files, by the last line it wrote. */
export function initFailure(reason: string): PawlError {
  const [, uid] = /could not look up effective user ID (\d+)/.exec(reason) ?? [];
  if (uid !== undefined)
    return new PawlError(
      "postgres.embedded.account",
      `PostgreSQL runs only as a user that has a name, and user ${uid} has none here: add a line for it to /etc/passwd, run as another user, or name a server of your own with \`url\`.`,
    );
  return new PawlError(
    "postgres.embedded.init",
    `The embedded PostgreSQL could not create its files (${reason}): check the free space and the rights of its folder, or name a server of your own with \`url\`.`,
  );
}

function output(
  program: string,
  flags: string[],
  account: ServerAccount | null,
): Promise<{ code: number | null; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; text: string }>();
  const child = spawn(program, flags, {
    ...account,
    stdio: ["ignore", "pipe", "pipe"],
    env: serverEnvironment(),
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

/** As PostgreSQL's own default, `scram_iterations`. */
const ITERATIONS = 4096;

/**
 * What a server keeps of a password of ASCII characters (RFC 5803, in PostgreSQL's own form): with it a password can be
 * checked, but it is of no use to log in.
 */
function scramVerifier(password: string): string {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, ITERATIONS, 32, "sha256");
  const key = (name: string) => createHmac("sha256", salted).update(name).digest();
  const stored = createHash("sha256").update(key("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString("base64")}$${stored}:${key("Server Key").toString("base64")}`;
}
