import assert from "node:assert/strict";
import { test } from "node:test";
import { count, date, float64, fromRows, int32, list, text, timestamp } from "../../../src/data/index.ts";

test("describe() tells of each column what fits its type", async () => {
  const frame = fromRows({ user: text().nullable(), amount: float64(), day: date(), tags: list(text()) }, [
    { user: "ada", amount: 1, day: "2026-01-01", tags: [] },
    { user: null, amount: 2, day: "2026-01-03", tags: [] },
    { user: "bob", amount: 6, day: "2026-01-02", tags: ["x"] },
  ]);
  const rows = await frame.describe().collect();
  assert.deepEqual(
    rows.map(({ column, type, count: n, nulls }) => [column, type, n, nulls]),
    [
      ["user", "text().nullable()", 2, 1],
      ["amount", "float64()", 3, 0],
      ["day", "date()", 3, 0],
      ["tags", "list(text())", 3, 0],
    ],
  );
  const [user, amount, day, tags] = rows;
  assert.deepEqual([user?.least, user?.greatest, user?.mean, user?.distinct], ["ada", "bob", null, 2]);
  assert.deepEqual(
    [amount?.min, amount?.q25, amount?.median, amount?.q75, amount?.max, amount?.mean],
    [1, 1.5, 2, 4, 6, 3],
  );
  assert.deepEqual([day?.least, day?.greatest], ["2026-01-01", "2026-01-03"]);
  assert.equal(tags?.distinct, null);
});

test("two columns correlate, or there is nothing to tell", async () => {
  const frame = fromRows({ a: int32(), b: float64(), name: text() }, [
    { a: 1, b: 2, name: "x" },
    { a: 2, b: 4, name: "y" },
    { a: 3, b: 6, name: "z" },
  ]);
  assert.equal(await frame.corr("a", "b"), 1);
  assert.equal(await frame.limit(1).corr("a", "b"), null);
  // @ts-expect-error a text
  await assert.rejects(frame.corr("a", "name"), /needs columns of numbers/);
});

test("gaps of time are filled for each combination, and no row is lost", async () => {
  const frame = fromRows({ user: text().nullable(), hour: timestamp(), n: int32() }, [
    { user: "ada", hour: "2026-01-01T00:00:00", n: 1 },
    { user: "ada", hour: "2026-01-01T02:00:00", n: 2 },
    { user: null, hour: "2026-01-01T01:00:00", n: 3 },
    { user: null, hour: "2026-01-01T01:30:00", n: 4 },
  ]);
  const filled = frame.fillGaps({ column: "hour", every: "1h", by: "user" });
  const rows = await filled.sort(["user", "hour"]).collect();
  const n: number | null | undefined = rows[0]?.n;
  assert.equal(n, 1);
  assert.deepEqual(
    rows.map((row) => [row.user, row.hour.slice(11, 16), row.n]),
    [
      ["ada", "00:00", 1],
      ["ada", "01:00", null],
      ["ada", "02:00", 2],
      [null, "00:00", null],
      [null, "01:00", 3],
      [null, "01:30", 4],
      [null, "02:00", null],
    ],
  );
  const months = fromRows({ month: date(), n: int32() }, [
    { month: "2026-01-01", n: 1 },
    { month: "2026-04-01", n: 4 },
  ]);
  const whole = await months.fillGaps({ column: "month", every: "month" }).sort("month").collect();
  assert.deepEqual(
    whole.map(({ month }) => month),
    ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"],
  );
  assert.equal(await months.limit(0).fillGaps({ column: "month", every: "month" }).count(), 0);
  await assert.rejects(
    fromRows({ t: timestamp() }, [{ t: "2000-01-01" }, { t: "2026-01-01" }])
      .fillGaps({ column: "t", every: "1ms" })
      .count(),
    /more than ten million steps/,
  );
});

test("a value of each row beside aggregates is refused", () => {
  const frame = fromRows({ a: int32(), b: float64() }, [{ a: 1, b: 2 }]);
  const groups = frame.groupBy("a");
  assert.throws(() => groups.agg((c) => ({ x: c.b.sum().add(c.b) })), /takes the column "b" of each row/);
  assert.doesNotThrow(() => groups.agg((c) => ({ x: c.b.sum().add(c.a), n: count() })));
});
