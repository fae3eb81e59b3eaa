import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../random.ts";
import type { Server } from "../server.ts";
import { TABLE } from "../target.ts";

/** Another program that changes rows of the table all the while, and counts what was committed. */
export class Meddler {
  /** Rows whose column `other` was raised by one. */
  raised = 0;
  #running = true;
  readonly #work: Promise<void>;

  constructor(server: Server, database: string, rows: number, seed: string) {
    this.#work = this.#meddle(server, database, rows, new Random(seed).fork("meddler"));
  }

  async stop(): Promise<number> {
    this.#running = false;
    await this.#work;
    return this.raised;
  }

  async #meddle(server: Server, database: string, rows: number, random: Random): Promise<void> {
    while (this.#running) {
      try {
        await server.with(database, async (client) => {
          // What a crash of the server leaves in doubt could not be counted.
          await client.query("set synchronous_commit = on");
          while (this.#running) {
            const from = random.int(1, rows);
            const { rowCount } = await client.query(
              `update ${TABLE} set other = other + 1 where n between $1 and $2`,
              [from, from + random.int(0, 20)],
            );
            this.raised += rowCount ?? 0;
            await sleep(random.int(1, 30));
          }
        });
      } catch {
        // The server is away, or chose us to end a deadlock.
        await sleep(50);
      }
    }
  }
}
