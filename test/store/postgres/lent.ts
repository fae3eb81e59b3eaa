import { openStore } from "../../../src/store/index.ts";
import { TestClient, type TestServer } from "../../connect/postgres/server.ts";

/** An empty store for one test. */
export interface LentStore {
  readonly url: string;
  /** For looking and for what the test does beside the store. */
  readonly hands: TestClient;
  /** Ends whatever is connected still, and empties the store for the next test. */
  giveBack(): Promise<void>;
}

/** Has the server forget what a test left behind. Small tables are not worth the files that TRUNCATE makes. */
const EMPTY = `
  DO $$
  DECLARE
    found record;
  BEGIN
    SET LOCAL session_replication_role = replica;
    FOR found IN
      SELECT c.oid::regclass AS name, c.relname, pg_total_relation_size(c.oid) > 524288 AS large
      FROM pg_class AS c WHERE c.relnamespace = 'pawl'::regnamespace AND c.relkind = 'r' AND c.relname <> 'version'
    LOOP
      IF found.large THEN EXECUTE format('TRUNCATE %s CASCADE', found.name);
      ELSE EXECUTE format('DELETE FROM %s', found.name);
      END IF;
    END LOOP;
    FOR found IN
      SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'at_first'::regnamespace AND c.relkind = 'r'
    LOOP
      EXECUTE format('INSERT INTO pawl.%1$I OVERRIDING SYSTEM VALUE SELECT * FROM at_first.%1$I', found.relname);
    END LOOP;
    PERFORM setval(c.oid::regclass, 1, false)
    FROM pg_class AS c WHERE c.relnamespace = 'pawl'::regnamespace AND c.relkind = 'S';
  END $$`;

/** Keeps what the tables hold when they are new. */
const REMEMBER = `
  CREATE SCHEMA at_first;
  DO $$
  DECLARE
    found record;
    filled boolean;
  BEGIN
    FOR found IN
      SELECT c.relname FROM pg_class AS c
      WHERE c.relnamespace = 'pawl'::regnamespace AND c.relkind = 'r' AND c.relname <> 'version'
    LOOP
      EXECUTE format('SELECT EXISTS (SELECT FROM pawl.%I)', found.relname) INTO filled;
      IF filled THEN EXECUTE format('CREATE TABLE at_first.%1$I AS TABLE pawl.%1$I', found.relname); END IF;
    END LOOP;
  END $$`;

/**
 * Stores that one test has after the other: to make the tables of a new one costs the server a hundred times as much as to
 * empty them.
 */
export class LentStores {
  readonly #server: TestServer;
  readonly #prepare: string;
  readonly #free: { readonly url: string; readonly hands: TestClient }[] = [];

  /** `prepare` is run once in each, when it is new. */
  constructor(server: TestServer, prepare = "") {
    this.#server = server;
    this.#prepare = prepare;
  }

  async lend(): Promise<LentStore> {
    const { url, hands } = this.#free.pop() ?? (await this.#make());
    return {
      url,
      hands,
      giveBack: async () => {
        await hands.endOthers();
        await hands.query(EMPTY);
        this.#free.push({ url, hands });
      },
    };
  }

  /** Before the server is left. */
  async close(): Promise<void> {
    for (const { hands } of this.#free.splice(0)) await hands[Symbol.asyncDispose]();
  }

  async #make(): Promise<{ url: string; hands: TestClient }> {
    const url = await this.#server.createDatabase();
    await (await openStore(url)).close();
    const hands = await TestClient.connect(url);
    await hands.query(REMEMBER);
    if (this.#prepare !== "") await hands.query(this.#prepare);
    return { url, hands };
  }
}
