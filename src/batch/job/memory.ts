import { availableParallelism } from "node:os";
import { PawlError } from "../../errors.ts";
import { bytes } from "../../sizes.ts";
import type { AnyJob } from "./job.ts";
import { limitYoungGeneration } from "./young-generation.ts";

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
const STEP_THREAD_MEMORY = 40 * MB;
/** What the rest of the process takes beside such threads. */
const BESIDE_THREADS = 176 * MB;

/** How a job's memory budget is divided. */
export interface MemoryPlan {
  /** Bytes for data under way, over all shards. */
  readonly inFlight: number;
  /** The largest chunk that fits: each shard has one being written and one being read or transformed. */
  readonly chunk: number;
  /** Threads in which the transform may run; fewer than two are none. */
  readonly stepThreads: number;
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
  const threads = Math.floor((budget - BESIDE_THREADS) / STEP_THREAD_MEMORY);
  return {
    inFlight,
    chunk: Math.max(LEAST_CHUNK, Math.min(LARGEST_CHUNK, share)),
    stepThreads: Math.min(availableParallelism(), Math.max(0, threads)),
  };
}

/** Shards that one process works on at once. */
export function shardsOf(job: AnyJob): number {
  return job.shards ?? Math.min(4, availableParallelism());
}
