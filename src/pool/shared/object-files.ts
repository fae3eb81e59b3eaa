import { constants, copyFileSync, existsSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { TransientError } from "../../errors.ts";
import { writeObject } from "./object-file.ts";
import { isWorker } from "./object-options.ts";
import { memoryBase, spillBase } from "./places.ts";
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
        `A put object of ${mebibytes(object.fileBytes)} goes to worker processes through a file, which cannot be written to ${this.base} (${reasonOf(cause)}): make room there, or give configureObjects another directory.`,
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

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** Why a call of the file system failed, for people. */
export function reasonOf(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === "ENOSPC" ? "no space is left" : message;
}
