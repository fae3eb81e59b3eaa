import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { freemem, tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { TransientError } from "../../../errors.ts";
import { sizeText } from "../../../sizes.ts";
import { sharedMemory } from "../memory.ts";
import { isWorker } from "./options.ts";
import { privateDirectory } from "./private-directory.ts";
import { disposedError } from "./ref.ts";
import type { StoredObject } from "./stored-object.ts";

/** Puts the objects of one thread into files. */
export class ObjectFiles {
  #base: string | null = null;

  /** Where there is a private directory for what has no room in memory. */
  get base(): string {
    this.#base ??= spillBase();
    return this.#base;
  }

  set base(directory: string) {
    this.#base = directory;
  }

  /** Sees to it that a file has what is in memory. Throws what the file system throws. */
  spill(object: StoredObject): void {
    // The parent process takes the file that was made for it.
    const file = isWorker && !object.fromProcess ? object.spilled : object.file;
    if (file === null) object.spilled = this.#write(object, this.base, object.id);
  }

  /**
   * The file from which other processes read it, which is written the first time: in memory, or on disk if there is
   * no room. Throws TransientError("pool.objects-full").
   */
  publish(object: StoredObject): string {
    const { published } = object;
    if (published !== null && (object.fromProcess || existsSync(published))) return published;
    const name = `${object.id}.shared`;
    const memory = memoryBase(object.fileBytes);
    if (memory !== null) {
      try {
        object.published = this.#write(object, memory, name);
        return object.published;
      } catch {
        // There is the disk.
      }
    }
    try {
      object.published = this.#write(object, this.base, name);
      return object.published;
    } catch (cause) {
      throw new TransientError(
        "pool.objects-full",
        `A put object of ${sizeText(object.fileBytes)} goes to worker processes through a file, which cannot be written to ${this.base} (${reasonOf(cause)}): make room there, or give configureObjects another directory.`,
        { cause },
      );
    }
  }

  /** Makes the file of another process one of this thread's own. False when it is gone. */
  adopt(object: StoredObject, file: string): boolean {
    try {
      const taken = join(privateDirectory(dirname(dirname(file))), basename(file));
      renameSync(file, taken);
      object.published = taken;
      object.files.add(taken);
      object.fromProcess = false;
      return true;
    } catch {
      return false;
    }
  }

  #write(object: StoredObject, base: string, name: string): string {
    const path = join(privateDirectory(base), name);
    if (object.block !== null) {
      const { memories, offsets } = object.image(object.block);
      writeObject(path, memories, offsets);
    } else if (object.file !== null) {
      copyFileSync(object.file, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    } else throw disposedError();
    object.files.add(path);
    return path;
  }
}

/** Why a call of the file system failed, for people. */
export function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === "ENOSPC" ? "no space is left" : message;
}

/** No system call takes more than 2 GiB at once. */
const PIECE = 2 ** 30;

/**
 * Writes memories into a new file, each at its offset, readable for this user alone. The last of the offsets is the
 * length of the file. Leaves no file behind where it fails. Throws what the file system throws.
 */
function writeObject(path: string, memories: readonly SharedArrayBuffer[], offsets: readonly number[]): void {
  const fd = openSync(path, "wx", 0o600);
  try {
    ftruncateSync(fd, offsets.at(-1));
    for (const [index, memory] of memories.entries()) {
      const bytes = new Uint8Array(memory);
      const from = offsets[index] as number;
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(fd, bytes, done, Math.min(PIECE, bytes.length - done), from + done);
      }
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** Reads a file into shared memory. Throws what the file system throws, and PawlError("pool.shared-memory"). */
export function readObject(path: string): SharedArrayBuffer {
  const fd = openSync(path, "r");
  try {
    const memory = sharedMemory(fstatSync(fd).size, "A put object");
    const bytes = new Uint8Array(memory);
    for (let done = 0; done < bytes.length; ) {
      const read = readSync(fd, bytes, done, Math.min(PIECE, bytes.length - done), done);
      if (read === 0) throw new Error(`${path} became shorter while it was read.`);
      done += read;
    }
    return memory;
  } finally {
    closeSync(fd);
  }
}

/** A file system in memory on Linux, in which every program can make files. */
const MEMORY = "/dev/shm";

const TMPFS = 0x01021994;

/** Where objects go that have no room in memory: the temporary directory, unless that is in memory itself. */
function spillBase(): string {
  const base = tmpdir();
  return isInMemory(base) && !isInMemory("/var/tmp") ? "/var/tmp" : base;
}

/** Where other processes can get a file of that size: in memory if there is plenty, otherwise null. */
function memoryBase(bytes: number): string | null {
  if (process.platform !== "linux" || freemem() < 2 * bytes) return null;
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    return bavail * bsize >= 2 * bytes ? MEMORY : null;
  } catch {
    return null;
  }
}

function isInMemory(base: string): boolean {
  if (process.platform !== "linux") return false;
  try {
    return statfsSync(base).type === TMPFS;
  } catch {
    // A folder that does not exist cannot take files either.
    return true;
  }
}
