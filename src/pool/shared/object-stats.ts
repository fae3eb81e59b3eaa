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
  readonly disposed: number;
  /** Objects that were let go of because the last ref to them was garbage, not because it was disposed of. */
  readonly leaked: number;
}
