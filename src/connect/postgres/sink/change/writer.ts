import { setTimeout as sleep } from "node:timers/promises";
import type { Checkpoint, Chunk, Seal, WriteOutcome, Writer } from "../../../../batch/contract.ts";
import { PawlError, TransientError } from "../../../../errors.ts";
import { explain, sqlState } from "../../errors.ts";
import type { Session } from "../../session.ts";
import { RangeChunk } from "../../source/key-range.ts";
import { record } from "../checkpoint-table.ts";
import { changeRange } from "./change-range.ts";
import { changeRows } from "./change-rows.ts";
import { PackedRows, pack } from "./packed-rows.ts";
import type { LiveTarget } from "./target.ts";

/** Deadlock, serialization failure, and a lock that somebody else held for too long: the chunk is tried again. */
const contended = new Set(["40P01", "40001", "55P03"]);
const tries = 6;
const firstWaitMs = 20;

export interface Claim {
  readonly run: string;
  readonly shard: number;
  readonly fence: number;
}

/** Changes rows in short transactions, each with its checkpoint. */
export class LiveWriter implements Writer<unknown> {
  readonly checkpoint: Checkpoint | null;
  readonly #session: Session;
  readonly #target: LiveTarget;
  /** Where the checkpoint goes; null where the database cannot hold it. */
  readonly #claim: Claim | null;

  constructor(session: Session, target: LiveTarget, claim: Claim | null, checkpoint: Checkpoint | null) {
    this.#session = session;
    this.#target = target;
    this.#claim = claim;
    this.checkpoint = checkpoint;
  }

  async write(chunk: Chunk<unknown>, seal: Seal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#session.run("BEGIN");
        await this.#commit(await seal(await change(this.#session, this.#target, chunk)));
        return;
      } catch (error) {
        await this.#rollback();
        if (attempt === tries || this.#session.isLost || !contended.has(sqlState(error) ?? "")) {
          throw this.#explain(error);
        }
      }
      await sleep(firstWaitMs * 2 ** attempt * (0.5 + Math.random()));
    }
  }

  async finish(checkpoint: Checkpoint): Promise<void> {
    try {
      // The commits before this one may still be on their way to the disk; they reach it before this one does.
      await this.#session.run("BEGIN; SET LOCAL synchronous_commit = on");
      await this.#commit(checkpoint);
    } catch (error) {
      await this.#rollback();
      throw this.#explain(error);
    }
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  async #commit(checkpoint: Checkpoint): Promise<void> {
    if (this.#claim !== null) {
      const { run, shard, fence } = this.#claim;
      await record(this.#session, run, shard, fence, checkpoint);
    }
    await this.#session.run("COMMIT");
  }

  async #rollback(): Promise<void> {
    if (this.#session.isLost) return;
    try {
      await this.#session.run("ROLLBACK");
    } catch {
      // Then the connection is gone, and the transaction with it.
    }
  }

  #explain(error: unknown): Error {
    const explained = explain(error, this.#session.url);
    if (this.#session.isLost && explained instanceof PawlError && !(explained instanceof TransientError)) {
      return new TransientError(explained.code, explained.message, { cause: error });
    }
    return explained;
  }
}

/** Leaves the effect of a chunk in the open transaction. */
export async function change(
  session: Session,
  target: LiveTarget,
  chunk: Chunk<unknown>,
): Promise<WriteOutcome> {
  if (chunk instanceof PackedRows) return await changeRows(session, target, chunk);
  if (chunk instanceof RangeChunk) return await changeRange(session, target, chunk);
  return await changeRows(session, target, await pack(chunk, target));
}
