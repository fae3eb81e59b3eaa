import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { PawlError } from "./errors.ts";

/** Keeps what a state folder holds (payloads, results, passwords) out of repositories. */
const IGNORE_EVERYTHING = "*\n";

/** Windows keeps rights in another way, and a profile there belongs to its user. */
const hasModes = process.getuid !== undefined;

/**
 * Creates a folder and those above it, each for this user alone unless `mode` says otherwise. Node's own recursive
 * `mkdir` repeats for ever where a file system answers that a parent which is there does not exist, as `/proc` does.
 */
export function makeFolder(path: string, mode = 0o700): void {
  const missing: string[] = [];
  for (let folder = resolve(path); !existsSync(folder); folder = dirname(folder)) missing.push(folder);
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      // Another process may have created it in the meantime.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/**
 * Opens the folder in which this user's state lives: creates it for the user alone, or makes sure that no other user
 * could have put something into it. A folder that Pawl did not create keeps its mode. Throws `state.unsafe` where
 * other users may write.
 */
export function openStateFolder(path: string): void {
  const folder = resolve(path);
  const own = !existsSync(folder) || basename(folder) === ".pawl" || isStateFolder(folder);
  refuseDangling(folder);
  makeFolder(folder);
  if (!hasModes) return;
  const found = statSync(folder);
  const others = found.mode & 0o022;
  // In a sticky folder such as /tmp other users cannot replace what is ours.
  const sticky = (found.mode & 0o1000) !== 0;
  if (own ? others !== 0 || isForeign(found) : (others & 0o002) !== 0 && !sticky) throw unsafe(folder, found);
  if (!own) return;
  // A folder that the embedded server's own account may enter has that account's group and nothing for others.
  if ((found.mode & 0o067) !== 0 && mayChange(found)) chmodSync(folder, found.mode & 0o700);
  try {
    writeFileSync(join(folder, ".gitignore"), IGNORE_EVERYTHING, { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/**
 * Opens a folder of Pawl's own beside a store, such as that of its runs, for this user alone. The folder around it may be one that all
 * users share. Errors as for `assertOwnFolder`.
 */
export function openOwnFolder(path: string): void {
  makeFolder(path);
  assertOwnFolder(path);
  const found = statSync(path);
  if (hasModes && (found.mode & 0o077) !== 0 && mayChange(found)) chmodSync(path, found.mode & 0o700);
}

/** Throws `state.unsafe` where a folder, or a link that leads to it, is another user's, or where others may write. */
export function assertOwnFolder(path: string): void {
  if (!hasModes) return;
  const found = statSync(path);
  for (const each of [lstatSync(path), found]) if (isForeign(each)) throw unsafe(path, each);
  if ((found.mode & 0o022) !== 0) throw unsafe(path, found);
}

/** Makes sure of a file beside a store that something else creates: where it is there it must be this user's. Throws `state.unsafe`. */
export function assertOwnFile(path: string): void {
  const found = hasModes ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  if (found !== undefined && (isForeign(found) || found.isSymbolicLink() || (found.mode & 0o022) !== 0))
    throw unsafe(path, found);
}

/** Lets one group, and no other user, pass through a state folder to what lies in it. Other folders are left alone. */
export function admitGroup(folder: string, gid: number): boolean {
  if (basename(folder) !== ".pawl" && !isStateFolder(folder)) return false;
  const { uid, mode } = statSync(folder);
  chownSync(folder, uid, gid);
  chmodSync(folder, (mode & 0o700) | 0o010);
  return true;
}

/**
 * Makes sure of a file that holds state: creates it empty and for this user alone, or throws `state.unsafe` where
 * another user may write it. One that others could only read is closed to them. Returns its real path.
 */
export function openStateFile(path: string): string {
  try {
    closeSync(openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600));
    return path;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  refuseDangling(path);
  const real = realpathSync(path);
  if (!hasModes) return real;
  const found = lstatSync(real);
  if (!found.isFile()) return real;
  if (isForeign(found) || (found.mode & 0o022) !== 0) throw unsafe(real, found);
  if ((found.mode & 0o077) !== 0 && mayChange(found)) chmodSync(real, found.mode & 0o700);
  return real;
}

/** Throws `state.link` where a path is a link that leads to nothing, which no file or folder can be made at. */
export function refuseDangling(path: string): void {
  if (existsSync(path) || !lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return;
  throw new PawlError(
    "state.link",
    `${path} is a link to ${readlinkSync(path)}, where there is nothing: put back what it leads to, or remove the link.`,
  );
}

/** Whether Pawl created the folder: only Pawl ignores all of a folder in git. */
function isStateFolder(folder: string): boolean {
  try {
    return readFileSync(join(folder, ".gitignore"), "utf8") === IGNORE_EVERYTHING;
  } catch {
    return false;
  }
}

/** Whether it belongs to another user than this one and root, who may do everything anyway. */
function isForeign(found: Stats): boolean {
  return found.uid !== 0 && found.uid !== process.geteuid?.();
}

function mayChange(found: Stats): boolean {
  const self = process.geteuid?.();
  return self === 0 || self === found.uid;
}

function unsafe(path: string, found: Stats): PawlError {
  const why = isForeign(found)
    ? `belongs to another user (${found.uid})`
    : "may be written by other users of this machine";
  return new PawlError(
    "state.unsafe",
    `${path} ${why}, who could make this process run their code: check what is in it, then ` +
      `${isForeign(found) ? "give it to this user with chown" : `close it with chmod go-w`}, or choose another path with PAWL_STORE.`,
  );
}
