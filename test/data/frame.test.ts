import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { count, float64, readCsv, text } from "../../src/data/index.ts";

let folder = "";
before(() => {
  folder = mkdtempSync(join(tmpdir(), "pawl-frame-test-"));
  writeFileSync(join(folder, "t.csv"), "user,amount\nada,12.5\nbob,300\nada,200\n");
});
after(() => rmSync(folder, { recursive: true, force: true }));

const sales = () => readCsv(join(folder, "t.csv"), { user: text(), amount: float64().nullable() });

test("groups rows that pass a filter, typed to the last column", async () => {
  const rows = await sales()
    .filter((c) => c.amount.gt(100))
    .with((c) => ({ length: c.user.length().add(1) }))
    .groupBy("user")
    .agg((c) => ({
      total: c.amount.sum(),
      n: count(),
      longest: c.length.max(),
      std: c.amount.std().fillNull(0),
    }))
    .collect();
  const [first] = rows;
  const total: number | null | undefined = first?.total;
  const longest: bigint | undefined = first?.longest;
  assert.deepEqual([total, longest, first?.std], [200, 4n, 0]);
  assert.equal(rows.length, 2);
});

test("a mistake does not compile, and is one sentence where nothing is compiled", () => {
  // @ts-expect-error there is no such column
  assert.throws(() => sales().filter((c) => c.amont.gt(1)), /no column "amont": did you mean amount\?/);
  const perUser = sales().groupBy("user");
  // @ts-expect-error a text has no sum
  assert.throws(() => perUser.agg((c) => ({ x: c.user.sum() })), /sum\(\) needs a number/);
  // @ts-expect-error a number is not compared with a text
  assert.throws(() => sales().filter((c) => c.amount.gt("x")), /gt\(\) is given "x"/);
});

test("an aggregate over a window has a value for each row", async () => {
  const rows = await sales()
    .with((c) => ({ running: c.amount.sum().over({ by: c.user, order: c.amount.desc() }) }))
    .select("running")
    .collect();
  assert.deepEqual(rows.map(({ running }) => running).sort(), [200, 212.5, 300]);
});
