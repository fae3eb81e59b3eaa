import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { csv } from "../../../../../src/connect/csv/index.ts";
import { postgres } from "../../../../../src/connect/postgres/index.ts";
import { TableScene } from "../../scene.ts";
import { context } from "../chunks.ts";

describe("a load that adds, or changes under a condition", () => {
  const scene = TableScene.use();

  it("makes a table without a key where none shows, takes every row, and says so", async () => {
    const { url, client } = await scene.database(
      "CREATE TABLE keyless (a int); INSERT INTO keyless VALUES (1)",
    );
    const source = csv(await scene.file(`a,b\n${"1,x\n".repeat(500)}`));
    const summary = await scene.run({ source, sink: postgres({ url, table: "made", create: true }) });
    assert.deepEqual([summary.state, summary.written], ["succeeded", 500], summary.note);
    assert.deepEqual(await client.query("SELECT count(*)::int AS n FROM made"), [{ n: 500 }]);
    const fresh = { sample: async () => [{ a: "1" }] };
    const sink = postgres({ url, table: "fresh", create: true });
    const open = await sink.open(context(["a"], { run: "r1", ...fresh }));
    assert.match(open.notes.join(), /public\.fresh gets no key, .* every row is added/);
    // The run that was interrupted goes on with the table it has made; another one must say what it means.
    await client.query(
      "INSERT INTO fresh VALUES (1); INSERT INTO pawl.checkpoint (run, shard, fence) VALUES ('r1', 0, 1)",
    );
    assert.equal((await sink.open(context(["a"], { run: "r1", ...fresh }))).ordering.kind, "any");
    await assert.rejects(sink.open(context(["a"], { run: "r2", ...fresh })), { code: "postgres.no-key" });
    const other = postgres({ url, table: "keyless", create: true });
    await assert.rejects(other.open(context(["a"], { run: "r3", ...fresh })), { code: "postgres.no-key" });
  });

  it("adds every row with append, and refuses single ones that a unique index does not take", async () => {
    const { url, client } = await scene.database(
      "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (v text)",
    );
    const rows = csv(await scene.file("id,v\n1,a\n2,b\n1,c\n"));
    const keyed = await scene.run({ source: rows, sink: postgres({ url, table: "t", append: true }) });
    assert.deepEqual([keyed.state, keyed.written, keyed.quarantined], ["succeeded", 2, 1], keyed.note);
    const log = csv(await scene.file("v\na\na\n"));
    for (const n of [2, 4]) {
      const summary = await scene.run({ source: log, sink: postgres({ url, table: "log", append: true }) });
      assert.deepEqual([summary.state, summary.written], ["succeeded", 2], summary.note);
      assert.deepEqual(await client.query("SELECT count(*)::int AS n FROM log"), [{ n }]);
    }
    for (const options of [{ key: ["v"] }, { onConflict: "update" as const }, { updateIf: "true" }]) {
      const sink = postgres({ url, table: "log", append: true, ...options });
      await assert.rejects(scene.run({ source: log, sink }), { code: "postgres.append" });
    }
  });

  it("changes a row only if the condition holds, row by row in the order of the file", async () => {
    const { url, client } = await scene.database(
      `CREATE TABLE "Cust" (id int PRIMARY KEY, at int, v text, t text DEFAULT 'x'); INSERT INTO "Cust" VALUES (1, 5, 'old'), (2, 5, 'old'), (3, NULL, 'old')`,
    );
    const held = new Map<number, { at: number; v: string }>([1, 2].map((id) => [id, { at: 5, v: "old" }]));
    let text = "id,at,v\n3,7,new\n";
    for (let n = 0; n < 400; n++) {
      const [id, at, v] = [1 + ((n * 31) % 90), (n * 17) % 23, `v${n}`];
      if (id === 3) continue;
      text += `${id},${at},${v}\n`;
      const before = held.get(id);
      if (before === undefined || at > before.at) held.set(id, { at, v });
    }
    const source = csv(await scene.file(text));
    for (const condition of ['excluded.at > "Cust".at -- newer', 'excluded.at > public."Cust".at']) {
      const sink = postgres({ url, table: "Cust", updateIf: condition });
      const summary = await scene.run({ source, sink });
      assert.equal(summary.state, "succeeded", summary.note);
      const rows = await client.query<{ id: number; at: number; v: string }>(
        'SELECT * FROM "Cust" WHERE id <> 3',
      );
      assert.deepEqual(new Map(rows.map(({ id, at, v }) => [id, { at, v }])), held);
    }
    assert.deepEqual(await client.query('SELECT v FROM "Cust" WHERE id = 3'), [{ v: "old" }]);
    for (const updateIf of ["", "nothing > 1", "excluded.at) OR (true", "excluded.at", "count(*) > 0"]) {
      const sink = postgres({ url, table: "Cust", updateIf });
      await assert.rejects(scene.run({ source, sink }), { code: "postgres.update-if" }, updateIf);
    }
  });
});
