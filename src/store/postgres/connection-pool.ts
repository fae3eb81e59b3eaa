import pg from "pg";
import { destroyClient } from "../../postgres-client.ts";
import type { Address } from "./address.ts";
import { Connection } from "./connection.ts";
import { isDisconnect } from "./errors.ts";

const IDLE_MS = 30_000;
const CONNECTIONS = 4;

/** A connection that is lent until it is given back. */
export interface Loan {
  readonly connection: Connection;
  /** Tells which process of the server has answered: behind a pooler it need not be the one that we connected to. */
  readonly answeredBy: (pid: number) => void;
  /** One that is not sound is closed. */
  readonly giveBack: (sound: boolean) => void;
}

/** The connections to one store. */
export class ConnectionPool {
  readonly #schema: string;
  readonly #replyMs: number;
  readonly #pool: pg.Pool;
  /** False where the address says that there is a pooler. */
  readonly #mayBeDirect: boolean;
  /** Whether a connection leads to one session of the server, as far as is known. */
  readonly #direct = new WeakMap<pg.ClientBase, boolean>();

  /** A connection that has not answered for `replyMs` is closed. */
  constructor(address: Address, replyMs: number) {
    this.#schema = address.schema;
    this.#mayBeDirect = address.listen;
    this.#replyMs = replyMs;
    this.#pool = new pg.Pool({
      connectionString: address.server,
      application_name: "pawl",
      max: CONNECTIONS,
      idleTimeoutMillis: IDLE_MS,
      allowExitOnIdle: true,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      pipeline: true,
      Client: PooledClient as unknown as new () => pg.ClientBase,
    });
    // A connection that breaks while it is idle is replaced when one is needed; one that breaks in use rejects the
    // statement that waits for it, and would end the process if its event had no listener.
    this.#pool.on("error", () => {});
    this.#pool.on("connect", (client) => client.on("error", () => {}));
  }

  /** Waits for a connection to be free. */
  async lend(): Promise<Loan> {
    const client = await this.#pool.connect();
    return {
      connection: this.#connection(client),
      answeredBy: (pid) => {
        if (!this.#mayBeDirect) return;
        this.#direct.set(client, pid === (client as unknown as { processID: number }).processID);
      },
      giveBack: (sound) => client.release(!sound),
    };
  }

  /** Runs statements outside of a transaction, or in one that they begin and end themselves. */
  async use<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    try {
      const connection = this.#connection(client);
      const result = await work(connection);
      await connection.settled();
      client.release();
      return result;
    } catch (error) {
      // One in the middle of a transaction cannot be used for another.
      client.release(isDisconnect(error) || (client as pg.Client).getTransactionStatus() !== "I");
      throw error;
    }
  }

  /** Closes all when they have been given back. */
  async close(): Promise<void> {
    await this.#pool.end();
  }

  #connection(client: pg.ClientBase): Connection {
    return new Connection(client, this.#schema, this.#replyMs, this.#direct.get(client) ?? false);
  }
}

const CONNECT_MS = 10_000;

/** Called with null and the client when that is connected. */
type Connected = (error: Error | null, client?: pg.Client) => void;

/** A connection of a pool. One that cannot be made within `CONNECT_MS` fails, and leaves nothing open. */
class PooledClient extends pg.Client {
  constructor(config: pg.ClientConfig) {
    // To the pool the same option would mean how long to wait for another operation to end.
    super({ ...config, connectionTimeoutMillis: CONNECT_MS });
  }

  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | undefined {
    if (callback === undefined) return super.connect();
    super.connect((error: Error | null, client?: pg.Client) => {
      // The pool only forgets it. The server would wait a minute for a password that was not given, and let no database be
      // made or removed meanwhile.
      if (error !== null) destroyClient(this);
      callback(error, client);
    });
    return undefined;
  }
}
