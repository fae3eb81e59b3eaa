import { hash } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Actor, ActorControl } from "../../../pool/index.ts";
import type { Algorithm, Hasher } from "./checksum-worker.ts";

/** More would take from those who copy. */
const MOST_THREADS = 4;

interface Hired {
  readonly hasher: Actor<Hasher>;
  readonly control: ActorControl<Hasher>;
}

interface Seat {
  readonly hired: Promise<Hired>;
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
export class Hashing {
  readonly #seats: Seat[] = [];
  #numbers = 0;

  /** Of bytes in memory that threads share; of any other right here, since sending them would cost more. */
  async digest(algorithm: Algorithm, bytes: Buffer): Promise<string> {
    if (!isShared(bytes)) return hash(algorithm, bytes);
    return await this.#ask((hasher) => hasher.digest(algorithm, bytes));
  }

  running(): RunningMd5 {
    const id = this.#numbers++;
    const seat = this.#seat();
    seat.busy++;
    return {
      update: async (bytes) => await (await seat.hired).hasher.update(id, bytes),
      finish: async () => {
        seat.busy--;
        return await (await seat.hired).hasher.finish(id);
      },
    };
  }

  /** The MD5 of a file, or the tag of its parts of so many bytes. */
  async tagOfFile(path: string, partBytes: number | null): Promise<string> {
    return await this.#ask((hasher) => hasher.tagOfFile(path, partBytes));
  }

  async close(): Promise<void> {
    for (const { hired } of this.#seats.splice(0)) await (await hired).control.close();
  }

  async #ask<T>(work: (hasher: Actor<Hasher>) => Promise<T>): Promise<T> {
    const seat = this.#seat();
    seat.busy++;
    try {
      return await work((await seat.hired).hasher);
    } finally {
      seat.busy--;
    }
  }

  /** The one with the least to do; another one while all are busy. */
  #seat(): Seat {
    const least = this.#seats.reduce<Seat | null>(
      (best, seat) => (best === null || seat.busy < best.busy ? seat : best),
      null,
    );
    if (least !== null && (least.busy === 0 || this.#seats.length >= mostThreads())) return least;
    const seat = { hired: hire(), busy: 0 };
    // Whoever asks it hears of it.
    seat.hired.catch(() => {});
    this.#seats.push(seat);
    return seat;
  }
}

/** Most copies have nothing large, and what threads are made of takes time and memory. */
async function hire(): Promise<Hired> {
  const [{ actor, control }, { Hasher }] = await Promise.all([
    import("../../../pool/index.ts"),
    import("./checksum-worker.ts"),
  ]);
  const hasher = await actor(Hasher, []);
  return { hasher, control: control(hasher) };
}

function mostThreads(): number {
  return Math.min(MOST_THREADS, availableParallelism());
}

function isShared({ buffer }: Buffer): boolean {
  return buffer instanceof SharedArrayBuffer;
}
