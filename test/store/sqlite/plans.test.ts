import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { openStore } from "../../../src/store/index.ts";
import { live } from "../conformance/live.ts";

/** Tables that stay small: a row a queue, a bucket, a worker, or a counter, and the page of tasks that are cancelled together. */
const SMALL =
  /^SCAN (queue|bucket|worker|counter|schedule|change|task USING INDEX task_leased|j|json_each|open|s|value|CONSTANT|\(|sqlite_schema|pragma)/;

test("no statement of a worker on SQLite walks a table that grows", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "pawl-plans-"));
  context.after(() => rm(folder, { recursive: true }));
  const location = join(folder, "state.db");
  const statements = new Set<string>();
  const { prepare } = DatabaseSync.prototype;
  context.mock.method(DatabaseSync.prototype, "prepare", function (this: DatabaseSync, sql: string) {
    statements.add(sql);
    return prepare.call(this, sql);
  });
  await using store = await openStore(location);
  statements.clear();
  for (let round = 0; round < 2; round++) await live(store, `${round}`);
  context.mock.restoreAll();
  using database = new DatabaseSync(location, { readOnly: true });
  database.function("pawl_lower", (text) => String(text).toLowerCase());
  let explained = 0;
  const walks: string[] = [];
  for (const sql of statements) {
    if (!/^\s*(SELECT|UPDATE|DELETE|INSERT|WITH)/.test(sql)) continue;
    explained++;
    for (const { detail } of database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()) {
      const step = String(detail);
      if (!step.startsWith("SCAN") || SMALL.test(step)) continue;
      walks.push(`${step}: ${sql.replaceAll(/\s+/g, " ")}`);
    }
  }
  assert.ok(explained > 30, `${explained} statements`);
  assert.deepEqual(walks, []);
});
