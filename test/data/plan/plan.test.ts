import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { planSql } from "../../../src/data/engine/duckdb/plan-sql.ts";
import {
  type AnyFrame,
  count,
  fromRows,
  int32,
  readCsv,
  readParquet,
  text,
} from "../../../src/data/index.ts";
import { planHash } from "../../../src/data/plan/hash.ts";
import { nodesOf } from "../../../src/data/plan/walk.ts";
import { planIdentity } from "../../../src/data/read/identity.ts";
import { needsOf, withLeaves } from "../../../src/data/read/needed.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "pawl-plan-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const parquet = () => readParquet("t.parquet", { id: int32(), user: text(), amount: int32(), note: text() });
const needed = (frame: AnyFrame) =>
  [...needsOf(frame.plan).values()].map(({ columns }) => (columns === null ? null : [...columns].sort()));

test("a plan says which columns of a leaf it needs", () => {
  assert.deepEqual(needed(parquet()), [null]);
  assert.deepEqual(needed(parquet().select("id")), [["id"]]);
  const grouped = parquet()
    .filter((c) => c.amount.gt(1))
    .with((c) => ({ twice: c.amount.mul(2), unused: c.note.lower() }))
    .groupBy("user")
    .agg((c) => ({ sum: c.twice.sum() }));
  assert.deepEqual(needed(grouped), [["amount", "user"]]);
  assert.deepEqual(needed(parquet().sort("note").select("id")), [["id", "note"]]);
  assert.deepEqual(needed(parquet().distinct().select("id")), [null]);
});

test("a leaf that is used twice is needed for both, and stays one", () => {
  const base = parquet();
  const users = base.groupBy("user").agg(() => ({ n: count() }));
  const joined = base.select("id", "user").join(users, "user");
  assert.deepEqual(needed(joined), [["id", "user"]]);
  const narrowed = withLeaves(joined.plan, (leaf) => ({
    ...leaf,
    fields: leaf.fields.filter(({ name }) => name !== "note" && name !== "amount"),
  }));
  assert.equal(nodesOf(narrowed).filter(({ kind }) => kind === "scan").length, 1);
});

test("a plan whose parts are used again and again stays as long as it is", () => {
  let frame = fromRows({ k: int32() }, [{ k: 1 }]);
  for (let round = 0; round < 40; round++) frame = frame.join(frame, "k");
  assert.equal(nodesOf(frame.plan).length, 41);
  assert.equal(needsOf(frame.plan).size, 0);
  assert.ok(planSql(frame.plan).length < 20_000);
});

test("a hash tells plans apart by what they do, and not by who made them", async () => {
  const one = parquet().filter((c) => c.amount.gt(1));
  const same = parquet().filter((c) => c.amount.gt(1));
  const other = parquet().filter((c) => c.amount.gt(2));
  assert.equal(await planHash(one.plan), await planHash(same.plan));
  assert.notEqual(await planHash(one.plan), await planHash(other.plan));
  assert.notEqual(await planHash(one.select("id").plan), await planHash(one.select("user").plan));
  const users = fromRows({ user: text() }, [{ user: "ada" }]);
  const hashes = await Promise.all(
    (["inner", "left", "semi", "anti"] as const).map(async (how) =>
      planHash((one.join(users, "user", { how }) as AnyFrame).plan),
    ),
  );
  assert.equal(new Set(hashes).size, 4);
});

test("the identity of a plan changes with its files", async () => {
  const path = join(folder, "a.csv");
  const identity = async (frame: AnyFrame) =>
    await planIdentity(frame.plan, { signal: new AbortController().signal });
  writeFileSync(path, "id\n1\n");
  const frame = readCsv(join(folder, "*.csv"), { id: int32() });
  const before = await identity(frame);
  assert.equal(await identity(frame), before);
  utimesSync(path, 1, 1);
  const touched = await identity(frame);
  assert.notEqual(touched, before);
  writeFileSync(join(folder, "b.csv"), "id\n2\n");
  assert.notEqual(await identity(frame), touched);
});
