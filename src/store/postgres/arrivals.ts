import { PawlError } from "../../errors.ts";
import type { EnqueueOptions, NewGroup, NewTask } from "../contract.ts";
import type { Database } from "./database.ts";
import { enqueue, enqueueNew, mayBeNew, type Placed } from "./enqueue.ts";
import { brokenConstraint } from "./failure.ts";
import { Hints } from "./hints.ts";
import type { Mover } from "./mover.ts";
import { Moves } from "./moves.ts";
import { RECORDING } from "./recording.ts";
import { callersSession } from "./session.ts";
import { settleGroups } from "./settle-groups.ts";

/** After an id was taken that was thought to be new, so many batches are stored with a look at what is taken. */
const CAREFUL = 20;

/** How tasks come to the store: without a look at what is there as long as that goes well, or along with the caller's writes. */
export class Arrivals {
  readonly #db: Database;
  readonly #mover: Mover;
  /** Batches that are still to be stored with care. */
  #careful = 0;

  constructor(db: Database, mover: Mover) {
    this.#db = db;
    this.#mover = mover;
  }

  async enqueue(tasks: readonly NewTask[], options: EnqueueOptions): Promise<string[]> {
    const { groups = [], tx, onOrdered: placed = () => {} } = options;
    if (tasks.length === 0 && groups.length === 0) return [];
    if (tx !== undefined) return await this.#within(tx, inTheirGroups(tasks), groups);
    if (groups.length === 0 && this.#careful === 0 && mayBeNew(tasks)) {
      try {
        return await this.#mover.write((moves) => enqueueNew(moves, tasks, placed));
      } catch (error) {
        if (!(error instanceof PawlError) || brokenConstraint(error.cause) !== "task_id") throw error;
        this.#careful = CAREFUL;
      }
    }
    this.#careful = Math.max(0, this.#careful - 1);
    return await this.#mover.write(async (moves) => {
      const ids = await enqueue(moves, inTheirGroups(tasks), groups, this.#db.location);
      placed();
      return ids;
    });
  }

  /** In a transaction of the caller's, which is not ours to begin, to end or to mark. */
  async #within(tx: unknown, tasks: readonly Placed[], groups: readonly NewGroup[]): Promise<string[]> {
    const { schema, location } = this.#db;
    const session = callersSession(tx, schema);
    const recording = session
      .get<{ on: boolean }>(`SELECT ${RECORDING} AS "on"`)
      .then((row) => row?.on ?? false);
    recording.catch(() => {});
    const moves = new Moves({ session, recording });
    const added = await enqueue(moves, tasks, groups, location);
    await settleGroups(moves);
    await moves.write();
    const { sql, values } = Hints.notice(schema);
    session.later(sql, values);
    await session.settled();
    return added;
  }
}

function inTheirGroups(tasks: readonly NewTask[]): Placed[] {
  return tasks.map((task) => ({ task, childOf: task.childOf }));
}
