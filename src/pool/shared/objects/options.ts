import { totalmem } from "node:os";
import { isMainThread } from "node:worker_threads";
import type { Size } from "../../../sizes.ts";

/** Where the objects that were put are kept. */
export interface ObjectOptions {
  /**
   * How much of the objects that were put this thread keeps in memory; past it, those used longest ago go to files.
   * @default a quarter of the memory, at most 4 GB, and an eighth of that in workers
   */
  readonly memory?: Size;
  /**
   * Where to make a private directory for those files.
   * @default the temporary directory, if that is on disk
   */
  readonly directory?: string;
}

/** Another thread or process started this one, and what it makes may be for them. */
export const isWorker = !isMainThread || process.send !== undefined;

const GIB = 2 ** 30;

export function defaultQuota(): number {
  // Containers are given less than the machine has; where there is no limit, an absurdly large one is told.
  const allowed = process.constrainedMemory();
  const memory = Math.min(totalmem(), allowed > 0 ? allowed : Number.POSITIVE_INFINITY);
  const quota = Math.min(memory / 4, 4 * GIB);
  return Math.floor(isWorker ? quota / 8 : quota);
}

/** The objects of one thread, in numbers. */
export interface ObjectStats {
  /** Objects that this thread owns. */
  readonly refs: number;
  /** Bytes of objects in memory, as far as they count towards the quota. */
  readonly bytesInMemory: number;
  /** Bytes of owned objects that are only in a file. */
  readonly bytesSpilled: number;
  /** Bytes in files from which processes read owned objects; in memory where they lie in `/dev/shm`. */
  readonly bytesPublished: number;
  /** How often an object has left memory for a file. */
  readonly spills: number;
  /** Objects that were disposed of here. */
  readonly disposed: number;
  /** Objects that were let go of because the last ref to them was garbage, not because it was disposed of. */
  readonly leaked: number;
}
