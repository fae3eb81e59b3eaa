import { availableParallelism } from "node:os";
import v8 from "node:v8";
import { runInNewContext } from "node:vm";
import { PawlError } from "../../errors.ts";
import { bytes } from "../../sizes.ts";
import type { AnyJob } from "./job.ts";

const MB = 1024 * 1024;
const DEFAULT_MEMORY = 256 * MB;
const LEAST_MEMORY = 128 * MB;
/** What Node, its thread for leases and the drivers take before the first byte of data. */
const BASE_MEMORY = 112 * MB;
const LEAST_CHUNK = 64 * 1024;
const LARGEST_CHUNK = 8 * MB;
/** A row that became an object weighs several times its bytes; bytes that pass through are held about twice. */
const OBJECT_WEIGHT = 16;
const BYTES_WEIGHT = 2;

/** What a thread that runs the transform takes, with a module in TypeScript and what Node needs to read it. */
const TRANSFORM_THREAD_MEMORY = 40 * MB;
/** What the rest of the process takes beside such threads. */
const BESIDE_THREADS = 176 * MB;

/** How a job's memory budget is divided. */
export interface MemoryPlan {
  /** Bytes for data under way, over all shards. */
  readonly inFlight: number;
  /** The largest chunk that fits: each shard has one being written and one being read or transformed. */
  readonly chunk: number;
  /** Threads in which the transform may run; fewer than two are none. */
  readonly transformThreads: number;
}

/** Divides a job's budget. Throws one sentence when it is too small to work in. */
export function memoryOf(job: AnyJob): MemoryPlan {
  const budget = bytes(job.memory ?? DEFAULT_MEMORY, `Job ${job.name}: memory`);
  if (budget < LEAST_MEMORY) {
    throw new PawlError(
      "job.memory",
      `A memory budget of ${budget < MB ? `${budget} bytes` : `${Math.floor(budget / MB)} MB`} is too small: at least ${LEAST_MEMORY / MB} MB are needed.`,
    );
  }
  limitYoungGeneration(budget);
  const inFlight = budget - BASE_MEMORY;
  const weight = job.transform ? OBJECT_WEIGHT : BYTES_WEIGHT;
  const share = Math.floor(inFlight / (shardsOf(job) * 2 * weight));
  const threads = Math.floor((budget - BESIDE_THREADS) / TRANSFORM_THREAD_MEMORY);
  return {
    inFlight,
    chunk: Math.max(LEAST_CHUNK, Math.min(LARGEST_CHUNK, share)),
    transformThreads: Math.min(availableParallelism(), Math.max(0, threads)),
  };
}

/** Shards that one process works on at once. */
export function shardsOf(job: AnyJob): number {
  return job.shards ?? Math.min(4, availableParallelism());
}

/** Beyond this a larger space saves next to no time; rows that pass through live for milliseconds. */
const ENOUGH_BYTES = 16 * MB;
const LITTLE_BYTES = 2 * MB;
/** Where this is all the memory there is, collecting more often is the smaller evil. */
const SHORT_BUDGET = 160 * MB;

let enough = ENOUGH_BYTES;
let bounded = false;

/**
 * Fits V8's heap into a small budget: a smaller young generation, and a collector that runs once the heap has grown by two
 * fifths, not once it has doubled.
 */
function limitYoungGeneration(bytes: number): void {
  if (bytes > SHORT_BUDGET || enough === LITTLE_BYTES) return;
  enough = LITTLE_BYTES;
  v8.setFlagsFromString("--heap-growing-percent=40");
  // V8 set the bound for the first collection when the process began, and each collection sets the next one. This one also
  // gives back what the space grew to while the program was loaded.
  v8.setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
  boundYoungGeneration();
}

/**
 * Keeps V8's young generation, the space for new objects, from growing with the memory of the machine: on a large one it
 * takes more than a hundred megabytes, whatever the budget, for rows that are no longer used. Its bound can be given only on
 * the command line of Node, but a flag stops its growth at any time. Cheap: call it often while rows pass through.
 */
export function boundYoungGeneration(): void {
  if (bounded) return;
  const space = v8.getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
  if (space !== undefined && space.space_size < enough) return;
  v8.setFlagsFromString("--semi-space-growth-factor=1");
  bounded = true;
}
