import { hash } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Actor, ActorControl } from "../../../pool/index.ts";
import type { Algorithm, ChecksumWorker } from "./checksum-worker.ts";

/** More would take from those who copy. */
const MOST_THREADS = 4;

interface StartedThread {
  readonly worker: Actor<ChecksumWorker>;
  readonly control: ActorControl<ChecksumWorker>;
}

interface Thread {
  readonly started: Promise<StartedThread>;
  /** Calls under way, and contents that are being hashed piece by piece. */
  busy: number;
}

/** An MD5 of a content that comes piece by piece. */
export interface RunningMd5 {
  /** The bytes must stay as they are until it resolves. */
  update(bytes: Buffer): Promise<void>;
  /** Ends it; called in any case. */
  finish(): Promise<string>;
}

/** Takes checksums of what is large on other threads, which are started when there is something to do. */
export class ChecksumThreads {
  readonly #threads: Thread[] = [];
  #numbers = 0;

  /** Of bytes in memory that threads share; of any other right here, since sending them would cost more. */
  async digest(algorithm: Algorithm, bytes: Buffer): Promise<string> {
    if (!isShared(bytes)) return hash(algorithm, bytes);
    return await this.#ask((worker) => worker.digest(algorithm, bytes));
  }

  running(): RunningMd5 {
    const id = this.#numbers++;
    const thread = this.#leastBusy();
    thread.busy++;
    return {
      update: async (bytes) => await (await thread.started).worker.update(id, bytes),
      finish: async () => {
        thread.busy--;
        return await (await thread.started).worker.finish(id);
      },
    };
  }

  /** The MD5 of a file, or the ETag of its parts of so many bytes. */
  async etagOfFile(path: string, partBytes: number | null): Promise<string> {
    return await this.#ask((worker) => worker.etagOfFile(path, partBytes));
  }

  async close(): Promise<void> {
    for (const { started } of this.#threads.splice(0)) await (await started).control.close();
  }

  async #ask<T>(work: (worker: Actor<ChecksumWorker>) => Promise<T>): Promise<T> {
    const thread = this.#leastBusy();
    thread.busy++;
    try {
      return await work((await thread.started).worker);
    } finally {
      thread.busy--;
    }
  }

  /** The one with the least to do; another one while all are busy. */
  #leastBusy(): Thread {
    const least = this.#threads.reduce<Thread | null>(
      (best, thread) => (best === null || thread.busy < best.busy ? thread : best),
      null,
    );
    if (least !== null && (least.busy === 0 || this.#threads.length >= mostThreads())) return least;
    const thread = { started: startThread(), busy: 0 };
    // The caller that uses the thread learns of its failure.
    thread.started.catch(() => {});
    this.#threads.push(thread);
    return thread;
  }
}

/** Most copies have nothing large, and what threads are made of takes time and memory. */
async function startThread(): Promise<StartedThread> {
  const [{ actor, control }, { ChecksumWorker }] = await Promise.all([
    import("../../../pool/index.ts"),
    import("./checksum-worker.ts"),
  ]);
  const worker = await actor(ChecksumWorker, []);
  return { worker, control: control(worker) };
}

function mostThreads(): number {
  return Math.min(MOST_THREADS, availableParallelism());
}

function isShared({ buffer }: Buffer): boolean {
  return buffer instanceof SharedArrayBuffer;
}
