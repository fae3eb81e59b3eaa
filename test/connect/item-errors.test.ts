import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  type ChunkSize,
  type Cursor,
  defineJob,
  ItemError,
  run,
  type Shard,
  type Sink,
  type Source,
} from "../../src/batch/index.ts";
import { openItems } from "../../src/batch/internal.ts";
import { copy } from "../../src/connect/objects/index.ts";
import { postgres, update } from "../../src/connect/postgres/index.ts";
import { openStore, type Store } from "../../src/store/index.ts";
import { TestClient, TestServer } from "./postgres/server.ts";

const ITEMS = 30;
const isBroken = (n: number) => n % 4 === 2;
const good = Array.from({ length: ITEMS }, (_, n) => n).filter((n) => !isBroken(n));

/** Items of which every fourth could not be decoded, ten in a chunk. */
function source<T>(item: (n: number) => T): Source<T> {
  return {
    describe: async () => ({
      name: "items",
      unit: "items",
      columns: null,
      identity: 1,
      bytes: null,
      notes: [],
    }),
    shards: async () => ({
      shards: [{ data: null, items: ITEMS, bytes: null }],
      duplicates: null,
      notes: [],
    }),
    sample: async () => [item(0)],
    read: async function* (_shard: Shard, cursor: Cursor | null, _pace: ChunkSize) {
      for (let from = (cursor as number | null) ?? 0; from < ITEMS; from += 10) {
        const numbers = Array.from({ length: 10 }, (_, at) => from + at);
        yield {
          items: 10,
          bytes: 10,
          end: from + 10,
          slices: async function* () {
            yield numbers.slice(0, 3).map(broken);
            yield numbers.slice(3).map(broken);
          },
          origin: async (index: number) => ({
            raw: Buffer.from(String(from + index)),
            at: `item ${from + index}`,
          }),
        };
      }
    },
  };
  function broken(n: number): T | ItemError {
    return isBroken(n) ? new ItemError(`${n} is broken`, { code: "test.broken" }) : item(n);
  }
}

describe("a sink is not given what could not be decoded", { timeout: 120_000 }, () => {
  let server: TestServer;
  let client: TestClient;
  let url: string;
  let folder: string;
  let store: Store;

  before(async () => {
    server = await TestServer.shared();
    url = await server.createDatabase();
    client = await TestClient.connect(url);
    folder = await mkdtemp(join(tmpdir(), "pawl-item-errors-"));
    store = await openStore(join(folder, "store.db"));
  });
  after(async () => {
    await store.close();
    await client[Symbol.asyncDispose]();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function assertQuarantined(from: Source<unknown>, sink: Sink<unknown>): Promise<void> {
    const summary = await run(defineJob({ name: crypto.randomUUID(), source: from, sink }), {
      store,
    }).summary();
    assert.deepEqual(
      [summary.state, summary.read, summary.written, summary.quarantined],
      ["succeeded", ITEMS, good.length, ITEMS - good.length],
      summary.note,
    );
    for await (const { raw, at, reason, code, ordinal } of openItems(store, summary.run)) {
      const n = Number(Buffer.from(raw));
      assert.deepEqual([at, reason, code, ordinal], [`item ${n}`, `${n} is broken`, "test.broken", n]);
    }
  }

  it("by a load", async () => {
    await client.query("CREATE TABLE items (id int PRIMARY KEY, name text)");
    const rows = source((id) => ({ id, name: `name ${id}` }));
    await assertQuarantined(rows, postgres({ url, table: "items" }) as Sink<unknown>);
    const found = await client.query<{ id: number }>("SELECT id FROM items ORDER BY id");
    assert.deepEqual(
      found.map(({ id }) => id),
      good,
    );
  });

  it("by a backfill", async () => {
    await client.query("CREATE TABLE old (id int PRIMARY KEY, name text)");
    await client.query(`INSERT INTO old SELECT n, 'old' FROM generate_series(0, ${ITEMS - 1}) n`);
    const rows = source((id) => ({ id, name: `name ${id}` }));
    await assertQuarantined(rows, update({ url, table: "old" }));
    const found = await client.query<{ id: number }>("SELECT id FROM old WHERE name <> 'old' ORDER BY id");
    assert.deepEqual(
      found.map(({ id }) => id),
      good,
    );
  });

  it("by a copy", async () => {
    const [from, to] = [join(folder, "from"), join(folder, "to")];
    await mkdir(from);
    for (let n = 0; n < ITEMS; n++) await writeFile(join(from, `${n}`), `object ${n}`);
    const ends = copy({ from, to });
    // What a listing says of each object, in the order of the numbers.
    const entries = new Map((await ends.source.sample(ITEMS)).map((entry) => [entry.key, entry]));
    await assertQuarantined(
      source((n) => entries.get(`${n}`)),
      ends.sink as Sink<unknown>,
    );
    assert.deepEqual(
      (await readdir(to)).map(Number).sort((a, b) => a - b),
      good,
    );
  });
});
