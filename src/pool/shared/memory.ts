import { shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { Isolation } from "../transfer/cloneable.ts";

const MIB = 2 ** 20;
/** Shared memory that may become garbage before V8 is to take note, in bytes. */
const STEP = 64 * MIB;
const LARGEST_NOTE = 1024 * MIB;
/** A memory may come from another thread again and again; it counts for so much each time, in bytes. */
const MET = 8 * MIB;

let unnoticed = 0;
/** Holds the last note. */
const notes: ArrayBuffer[] = [];
const met = new WeakSet<SharedArrayBuffer>();

/** Memory that every thread of this process can see, zeroed. Throws PawlError("pool.shared-memory"). */
export function sharedMemory(bytes: number, what: string): SharedArrayBuffer {
  noteMemory(bytes);
  try {
    return new SharedArrayBuffer(bytes);
  } catch (cause) {
    throw new PawlError(
      "pool.shared-memory",
      `${what} needs ${bytes.toLocaleString("en")} bytes of shared memory in one piece, and there is no such piece: make it smaller, or let go of others first.`,
      { cause },
    );
  }
}

/**
 * Makes V8 collect garbage in time. It does not count shared memory when it decides whether to, and so gigabytes of it
 * would stay that no thread can use any more. Call it with the bytes of each memory that this thread made or got.
 */
export function noteMemory(bytes: number): void {
  unnoticed += bytes;
  if (unnoticed < STEP) return;
  try {
    // Memory that does count. Its pages are never touched, so that it takes up none; smaller pieces would be cut from
    // used memory and zeroed. It becomes garbage with the next note: at once, and the small collections that come all
    // the time would sweep it away, but not the memory meant.
    notes[0] = new ArrayBuffer(Math.min(unnoticed, LARGEST_NOTE));
  } catch {
    // Then it is noted another time.
  }
  unnoticed = 0;
}

/** The same for memory of which it is unknown whether this thread has it already; the same object counts once. */
export function noteMetMemory(memory: SharedArrayBuffer): void {
  if (met.has(memory)) return;
  met.add(memory);
  noteMemory(Math.min(memory.byteLength, MET));
}

/** The memory of a lock or a counter that is there already. Throws the PawlError `pool.shared-memory` for anything else. */
export function sharedCell(memory: unknown, bytes: number, what: string): SharedArrayBuffer {
  if (memory instanceof SharedArrayBuffer && memory.byteLength === bytes) return memory;
  throw new PawlError(
    "pool.shared-memory",
    `${what} the SharedArrayBuffer of ${bytes} bytes of another one, not ${shown(memory)}.`,
  );
}

/** Refuses the way to another process to what lives in this one's memory. */
export function assertStaysInProcess(to: Isolation, what: string, remedy: string): void {
  if (to === "thread") return;
  throw new PawlError(
    "pool.shared-process",
    `${what} lies in the memory of this process, and a worker process cannot see it: ${remedy}.`,
  );
}
