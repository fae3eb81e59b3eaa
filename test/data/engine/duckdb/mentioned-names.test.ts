import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { mentionedNames } from "../../../../src/data/engine/duckdb/table-names.ts";

let instance: DuckDBInstance;
let connection: DuckDBConnection;
before(async () => {
  instance = await DuckDBInstance.create(":memory:");
  connection = await instance.connect();
});
after(() => {
  connection.closeSync();
  instance.closeSync();
});

test("the names of all columns that a query reads are known, wherever they stand in it", async () => {
  const cases: Readonly<Record<string, string>> = {
    "select a from t": "a",
    "from t select A where b > 1 group by c having max(d) > 1 qualify row_number() over (partition by e order by f) = 1 order by g limit 3":
      "a b c d e f g",
    "select count(*) from 's3://x/y.parquet' as t where t.\"Üx\" = 'z'": "t üx",
    "select a from t join u using (k) left join v on t.l = v.m": "a k t l v m",
    "with w as (select a b from t) select b from w": "a b",
    "select (select max(z) from u where u.k = t.k) from t union all select y from v": "k t u y z",
    "select list_transform(a, x -> x + b), struct_col.inner, case when c then d end from t":
      "a b c d inner struct_col x",
    "select sum(a) filter (where b), cast(c as int), [d, e], {'k': f} from t, unnest(t.g)": "a b c d e f g t",
  };
  for (const [sql, names] of Object.entries(cases))
    assert.deepEqual(
      [...((await mentionedNames(connection, sql)) ?? ["*"])].sort(),
      names.split(" ").sort(),
      sql,
    );
});

test("a query that means columns without naming them may read all", async () => {
  for (const sql of [
    "select * from t",
    "from t",
    "select t.* from t",
    "select * exclude (a) from t",
    "select columns('a.*') from t",
    "select #1 from t",
    "select t from t",
    "select x from t as x",
    "select a from t natural join u",
    "select a from t as x(a, b)",
    "select a from (select * from t)",
    "summarize t",
    "unpivot t on a, b",
    "with w as (from t) select a from w",
    "select unnest(t) from t",
  ])
    assert.equal(await mentionedNames(connection, sql), null, sql);
});
