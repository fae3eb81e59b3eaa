import assert from "node:assert/strict";
import { test } from "node:test";
import { count, type Frame, float64, fromRows, int32, list, text } from "../../../src/data/index.ts";

const sales = () =>
  fromRows({ id: int32(), user: text(), amount: float64().nullable(), country: text().nullable() }, [
    { id: 1, user: "ada", amount: 12.5, country: "UK" },
    { id: 2, user: "bob", amount: 300, country: null },
    { id: 3, user: "ada", amount: 200, country: "UK" },
    { id: 4, user: "eve", amount: null, country: "FR" },
  ]);
const users = () =>
  fromRows({ user: text(), age: int32() }, [
    { user: "ada", age: 36 },
    { user: "bob", age: 40 },
    { user: "zoe", age: 20 },
  ]);

/** Rows in an order of their own, as texts. */
async function sorted(frame: Frame<never>): Promise<string[]> {
  const rows = (await frame.collect()) as object[];
  return rows.map((row) => Object.values(row).map(String).join(" ")).sort();
}
const all = async (frame: unknown) => await sorted(frame as Frame<never>);

test("select takes names or expressions, drop and rename keep the order", async () => {
  assert.deepEqual(await all(sales().select("user", "id").limit(1)), ["ada 1"]);
  assert.deepEqual(
    await all(
      sales()
        .select((c) => ({ who: c.user.lower(), twice: c.id.mul(2) }))
        .top(1, "twice"),
    ),
    ["eve 8"],
  );
  assert.deepEqual(
    sales()
      .drop("amount", "country")
      .rename({ id: "number" })
      .fields.map(({ name }) => name),
    ["number", "user"],
  );
  // @ts-expect-error there is no such column
  assert.throws(() => sales().select("usr"), /no column "usr": did you mean user\?/);
  // @ts-expect-error there is no such column
  assert.throws(() => sales().drop("usr"), /did you mean user\?/);
  // @ts-expect-error there is no such column
  assert.throws(() => sales().rename({ usr: "x" }), /did you mean user\?/);
  assert.throws(() => sales().rename({ id: "user" }), /two columns "user"/);
  assert.throws(() => sales().select("id", "id"), /"id" twice/);
  assert.throws(() => sales().drop("id", "user", "amount", "country"), /leaves no column/);
});

test("groups have names or expressions as keys, and aggregates beside them", async () => {
  const perUser = sales()
    .groupBy("user")
    .agg((c) => ({ total: c.amount.sum(), n: count() }));
  assert.deepEqual(await all(perUser), ["ada 212.5 2", "bob 300 1", "eve null 1"]);
  const byLength = sales()
    .groupBy((c) => ({ letters: c.user.length() }))
    .agg((c) => ({ most: c.amount.max() }));
  assert.deepEqual(await all(byLength), ["3 300"]);
  const users = sales().groupBy("user");
  // @ts-expect-error a key and an aggregate of one name
  assert.throws(() => users.agg(() => ({ user: count() })), /one of the keys/);
  // @ts-expect-error a value for each row
  assert.throws(() => users.agg((c) => ({ x: c.amount })), /one value for each group/);
  // @ts-expect-error there is no such column
  assert.throws(() => sales().groupBy("usr"), /did you mean user\?/);
});

test("aggregates of all rows are one row, and null where there is none", async () => {
  const [row] = await sales()
    .filter((c) => c.id.gt(100))
    .agg((c) => ({ n: count(), most: c.id.max() }))
    .collect();
  const most: number | null | undefined = row?.most;
  assert.equal(Number(row?.n), 0);
  assert.equal(most, null);
});

test("joins of all kinds keep, fill or leave out what has no partner", async () => {
  const left = sales().select("id", "user");
  assert.deepEqual(await all(left.join(users(), "user")), ["1 ada 36", "2 bob 40", "3 ada 36"]);
  assert.deepEqual(await all(left.join(users(), ["user"], { how: "left" })), [
    "1 ada 36",
    "2 bob 40",
    "3 ada 36",
    "4 eve null",
  ]);
  assert.deepEqual(await all(left.join(users(), "user", { how: "right" })), [
    "1 ada 36",
    "2 bob 40",
    "3 ada 36",
    "null zoe 20",
  ]);
  assert.deepEqual(await all(left.join(users(), "user", { how: "full" })), [
    "1 ada 36",
    "2 bob 40",
    "3 ada 36",
    "4 eve null",
    "null zoe 20",
  ]);
  assert.deepEqual(await all(left.join(users(), "user", { how: "semi" })), ["1 ada", "2 bob", "3 ada"]);
  assert.deepEqual(await all(left.join(users(), "user", { how: "anti" })), ["4 eve"]);
  assert.equal(await left.cross(users(), { suffix: "_2" }).count(), 12);
  assert.deepEqual(await all(left.join(users().rename({ user: "name" }), { user: "name" })), [
    "1 ada 36",
    "2 bob 40",
    "3 ada 36",
  ]);
  const older = left.join(users(), (l, r) => l.user.eq(r.user).and(r.age.gt(36)), { suffix: "_right" });
  assert.deepEqual(await all(older), ["2 bob bob 40"]);
});

test("a join says by its types what may be null", async () => {
  const [paired] = await sales()
    .join(users().rename({ user: "name" }), { user: "name" })
    .collect();
  assert.equal(paired?.age, 36);
  const [outer] = await sales().join(users(), "user", { how: "left" }).collect();
  const age: number | null | undefined = outer?.age;
  // @ts-expect-error it may be null
  const wrong: number | undefined = outer?.age;
  const [inner] = await sales().join(users(), "user").collect();
  const certain: number | undefined = inner?.age;
  const [full] = await sales().join(users(), "user", { how: "full" }).collect();
  const id: number | null | undefined = full?.id;
  assert.deepEqual([typeof age, typeof wrong, typeof certain, typeof id].length, 4);
});

test("a join refuses names that both have, unknown keys, and keys that cannot be equal", () => {
  const others = users().with((c) => ({ amount: c.age.mul(2) }));
  // @ts-expect-error both have amount
  assert.throws(() => sales().join(others, "user"), /have a column "amount": give \{ suffix/);
  const both = sales().join(others, "user", { suffix: "_of_user" });
  assert.deepEqual(both.fields.map(({ name }) => name).slice(-2), ["age", "amount_of_user"]);
  // @ts-expect-error there is no such column in both
  assert.throws(() => sales().join(users(), "id"), /no column "id"/);
  // @ts-expect-error there is no such column in both
  assert.throws(() => sales().join(users(), "usr"), /did you mean user/);
  const names = users().rename({ user: "name" });
  // @ts-expect-error a number and a text
  assert.throws(() => sales().join(names, { id: "name" }), /compares "id", which is int32/);
  // @ts-expect-error there is no such kind
  assert.throws(() => sales().join(users(), "user", { how: "lefft" }), /did you mean left/);
});

test("a row finds the nearest one of another frame", async () => {
  const trades = fromRows({ symbol: text(), at: int32() }, [
    { symbol: "A", at: 5 },
    { symbol: "A", at: 1 },
    { symbol: "B", at: 9 },
  ]);
  const quotes = fromRows({ symbol: text(), time: int32(), price: float64() }, [
    { symbol: "A", time: 3, price: 9.5 },
    { symbol: "A", time: 4, price: 9.75 },
    { symbol: "B", time: 10, price: 1 },
  ]);
  assert.deepEqual(await all(trades.asof(quotes, { at: "time" }, { by: "symbol" })), [
    "A 1 null null",
    "A 5 4 9.75",
    "B 9 null null",
  ]);
  assert.deepEqual(await all(trades.asof(quotes, { at: "time" }, { by: "symbol", direction: "forward" })), [
    "A 1 3 9.5",
    "A 5 null null",
    "B 9 10 1",
  ]);
});

test("rows are sorted with nulls last, in either direction", async () => {
  const ids = async (frame: ReturnType<typeof sales>) => (await frame.collect()).map(({ id }) => id);
  assert.deepEqual(await ids(sales().sort({ amount: "desc" })), [2, 3, 1, 4]);
  assert.deepEqual(await ids(sales().sort("amount")), [1, 3, 2, 4]);
  assert.deepEqual(await ids(sales().sort((c) => [c.user.desc(), c.id])), [4, 2, 1, 3]);
  assert.deepEqual(await ids(sales().top(2, "amount")), [2, 3]);
  assert.deepEqual(await ids(sales().top(2, (c) => c.amount.asc())), [1, 3]);
  assert.deepEqual(await ids(sales().sort("id").offset(1).limit(2)), [2, 3]);
  // @ts-expect-error there is no such direction
  assert.throws(() => sales().sort({ amount: "down" }), /"asc" or "desc", not "down"/);
  // @ts-expect-error there is no such column
  assert.throws(() => sales().sort("amont"), /did you mean amount/);
  assert.throws(() => sales().limit(-1), /whole number of rows/);
});

test("distinct rows are those that differ, or the first of each key", async () => {
  assert.deepEqual(await all(sales().select("user").distinct()), ["ada", "bob", "eve"]);
  assert.deepEqual(
    await all(
      sales()
        .distinct("user", { order: { id: "desc" } })
        .select("id"),
    ),
    ["2", "3", "4"],
  );
  // @ts-expect-error which row stays is not said
  assert.throws(() => sales().distinct("user"), /needs an order/);
});

test("a union takes rows of both, whatever the order of the columns", async () => {
  const more = fromRows({ age: int32().nullable(), user: text() }, [{ age: null, user: "max" }]);
  const both = users().union(more);
  const rows = await both.collect();
  const age: number | null | undefined = rows[0]?.age;
  assert.equal(typeof age, "number");
  assert.deepEqual(await all(both), ["ada 36", "bob 40", "max null", "zoe 20"]);
  // @ts-expect-error there is no age
  assert.throws(() => users().union(users().select("user")), /no column "age"/);
  // @ts-expect-error the other has a column more
  assert.throws(() => users().union(users().with(() => ({ x: 1 }))), /no column "x"/);
  // @ts-expect-error another type
  assert.throws(() => users().union(users().with((c) => ({ age: c.user }))), /needs the same types/);
});

test("values become columns, and columns rows", async () => {
  const wide = sales().pivot({
    by: ["user"],
    on: "country",
    columns: ["UK", "FR"],
    values: (c) => c.amount.sum(),
  });
  const uk: number | null | undefined = (await wide.collect())[0]?.UK;
  assert.notEqual(uk, undefined);
  assert.deepEqual(await all(wide), ["ada 212.5 null", "bob null null", "eve null null"]);
  const counts = sales().pivot({ by: ["user"], on: "country", columns: ["UK"], values: () => count() });
  assert.deepEqual(await all(counts), ["ada 2", "bob 0", "eve 0"]);
  const long = sales()
    .select("id", "user", "country")
    .unpivot({ columns: ["user", "country"] });
  assert.equal(await long.count(), 8);
  assert.deepEqual((await all(long)).slice(0, 2), ["1 country UK", "1 user ada"]);
  // @ts-expect-error there is no such column
  assert.throws(() => sales().unpivot({ columns: ["usr"] }), /did you mean user/);
  assert.throws(() => sales().unpivot({ columns: ["user", "id"] }), /needs columns of one type/);
});

test("nulls are filled, or their rows dropped, and the types know it", async () => {
  const [filled] = await sales().fillNull({ amount: 0 }).sort({ id: "desc" }).collect();
  const amount: number | undefined = filled?.amount;
  assert.equal(amount, 0);
  const rows = await sales().dropNull("country").collect();
  const country: string | undefined = rows[0]?.country;
  assert.equal(typeof country, "string");
  assert.equal(rows.length, 3);
  assert.equal(await sales().dropNull().count(), 2);
  // @ts-expect-error there is no such column
  assert.throws(() => sales().fillNull({ amont: 0 }), /did you mean amount/);
});

test("a list becomes a row for each element", async () => {
  const tagged = fromRows({ id: int32(), tags: list(text()) }, [
    { id: 1, tags: ["a", "b"] },
    { id: 2, tags: [] },
  ]);
  const rows = await tagged.explode("tags").collect();
  const tag: string | undefined = rows[0]?.tags;
  assert.equal(tag, "a");
  assert.deepEqual(await all(tagged.explode("tags")), ["1 a", "1 b"]);
  assert.deepEqual(await all(tagged.explode("tags", { keepEmpty: true })), ["1 a", "1 b", "2 null"]);
  // @ts-expect-error no list
  assert.throws(() => tagged.explode("id"), /needs a list/);
});

test("a sample draws the same rows for the same seed, whatever the threads", async () => {
  const many = fromRows(
    { n: int32() },
    Array.from({ length: 2000 }, (_, n) => ({ n })),
  );
  const drawn = async (seed: number, threads: number) =>
    (await many.sample({ fraction: 0.1, seed }).collect({ threads })).map(({ n }) => n);
  const once = await drawn(1, 1);
  assert.deepEqual(await drawn(1, 4), once);
  assert.notDeepEqual(await drawn(2, 1), once);
  assert.ok(once.length > 140 && once.length < 260, `${once.length} of 2,000`);
  assert.equal((await many.sample({ rows: 17, seed: 3 }).collect()).length, 17);
  const alike = fromRows(
    { n: int32() },
    Array.from({ length: 1000 }, () => ({ n: 1 })),
  ).join(fromRows({ n: int32(), m: int32() }, [{ n: 1, m: 1 }]), "n");
  const some = await alike.sample({ fraction: 0.5, seed: 5 }).count();
  assert.ok(some > 400 && some < 600, `${some} of 1,000 rows that are alike`);
  assert.throws(() => many.sample({}), /either a fraction/);
  assert.throws(() => many.sample({ fraction: 2 }), /from 0 to 1/);
});

test("values are counted, the most frequent first", async () => {
  const rows = await sales().valueCounts("user").collect();
  assert.deepEqual(
    rows.map(({ user }) => user),
    ["ada", "bob", "eve"],
  );
  const n: unknown = rows[0]?.count;
  assert.equal(Number(n), 2);
});

test("columns that differ only in capitals, or have no name that SQL knows, are columns like others", async () => {
  const odd = fromRows(
    { a: int32(), A: int32(), "": int32(), 'x"y;--': int32(), __proto__: int32() },
    [
      Object.fromEntries([
        ["a", 1],
        ["A", 2],
        ["", 3],
        ['x"y;--', 4],
      ]) as never,
    ].map((row) => row),
  );
  assert.deepEqual(
    odd.fields.map(({ name }) => name),
    ["a", "A", "", 'x"y;--'],
  );
  const [row] = await odd
    .with((c) => ({ A: c.a.add(c[""]) }))
    .filter((c) => c.a.lt(c.A))
    .collect();
  assert.deepEqual(Object.values(row ?? {}).map(Number), [1, 4, 3, 4]);
});

test("as() declares what is there, and nothing else", async () => {
  const same = users().as({ age: int32().nullable(), user: text() });
  assert.deepEqual(
    same.fields.map(({ name }) => name),
    ["age", "user"],
  );
  assert.throws(() => users().as({ age: float64(), user: text() }), /declares the column "age" as float64/);
  assert.throws(() => users().as({ age: int32() }), /no column "user"/);
});

test("rows of the program are taken at once and checked", async () => {
  const given = [{ user: "ada", age: 1 }];
  const frame = fromRows({ user: text(), age: int32() }, given);
  (given[0] as { age: number }).age = 99;
  assert.equal((await frame.first())?.age, 1);
  assert.throws(
    () => fromRows({ age: int32() }, [{ age: 1 }, { age: 1.5 }]),
    /Row 2 of fromRows\(\), column "age" is 1\.5, which is not int32\(\)/,
  );
  assert.throws(
    () => fromRows({ age: int32() }, [{ age: null as never }]),
    /is null, and the column is not nullable/,
  );
  assert.throws(
    () => fromRows({ age: int32() }, [{ age: 1, ag: 2 } as never]),
    /has "ag", which is not a column/,
  );
  const inferred = await fromRows([
    { a: "x", b: 1, c: null as bigint | null },
    { a: "y", b: 2.5, c: 7n },
  ]).collect();
  const c: bigint | null | undefined = inferred[1]?.c;
  assert.deepEqual([inferred[0]?.a, inferred[0]?.b, inferred[0]?.c, c], ["x", 1, null, 7n]);
});

test("a single row of the program is a frame like others", async () => {
  assert.deepEqual(await fromRows({ a: int32() }, [{ a: 1 }]).collect(), [{ a: 1 }]);
});

test("a frame that is used twice in a result is counted like others", async () => {
  const sums = fromRows({ a: int32() }, [{ a: 1 }, { a: 2 }])
    .groupBy("a")
    .agg(() => ({ n: count() }));
  assert.equal((await sums.union(sums).collect()).length, 4);
  assert.equal((await sums.join(sums, "a", { suffix: "_2" }).collect()).length, 2);
});
