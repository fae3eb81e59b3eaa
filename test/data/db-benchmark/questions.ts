import {
  count,
  type FrameRunOptions,
  float64,
  int32,
  readParquet,
  rowNumber,
  text,
} from "../../../src/data/index.ts";
import type { DbBenchmark } from "./data.ts";

export interface DbQuestion {
  readonly name: string;
  /** In the engine's own SQL, with the rows in an order. */
  readonly sql: string;
  readonly frame: { collect(options?: FrameRunOptions): Promise<readonly object[]> };
}

/** The ten questions about groups and the five about joins. */
export function questionsOf({ file }: Pick<DbBenchmark, "file">): readonly DbQuestion[] {
  const x = readParquet(file("x"), {
    id1: text(),
    id2: text(),
    id3: text(),
    id4: int32(),
    id5: int32(),
    id6: int32(),
    v1: int32(),
    v2: int32(),
    v3: float64(),
  });
  const big = readParquet(file("big"), {
    id1: int32(),
    id2: int32(),
    id3: int32(),
    id4: text(),
    id5: text(),
    id6: text(),
    v1: float64(),
  });
  const medium = readParquet(file("medium"), { id1: int32(), id2: int32(), id5: text(), v2: float64() });
  const small = readParquet(file("small"), { id1: int32(), id4: text(), v2: float64() });
  const joined = "count(*) AS n, sum(v1) AS v1, sum(v2) AS v2";
  return [
    {
      name: "sum v1 by id1",
      sql: "SELECT id1, sum(v1)::BIGINT AS v1 FROM x GROUP BY id1 ORDER BY id1",
      frame: x
        .groupBy("id1")
        .agg((c) => ({ v1: c.v1.sum() }))
        .sort("id1"),
    },
    {
      name: "sum v1 by id1:id2",
      sql: "SELECT id1, id2, sum(v1)::BIGINT AS v1 FROM x GROUP BY ALL ORDER BY id1, id2",
      frame: x
        .groupBy("id1", "id2")
        .agg((c) => ({ v1: c.v1.sum() }))
        .sort(["id1", "id2"]),
    },
    {
      name: "sum v1 mean v3 by id3",
      sql: "SELECT id3, sum(v1)::BIGINT AS v1, avg(v3) AS v3 FROM x GROUP BY id3 ORDER BY id3",
      frame: x
        .groupBy("id3")
        .agg((c) => ({ v1: c.v1.sum(), v3: c.v3.mean() }))
        .sort("id3"),
    },
    {
      name: "mean v1:v3 by id4",
      sql: "SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM x GROUP BY id4 ORDER BY id4",
      frame: x
        .groupBy("id4")
        .agg((c) => ({ v1: c.v1.mean(), v2: c.v2.mean(), v3: c.v3.mean() }))
        .sort("id4"),
    },
    {
      name: "sum v1:v3 by id6",
      sql: "SELECT id6, sum(v1)::BIGINT AS v1, sum(v2)::BIGINT AS v2, sum(v3) AS v3 FROM x GROUP BY id6 ORDER BY id6",
      frame: x
        .groupBy("id6")
        .agg((c) => ({ v1: c.v1.sum(), v2: c.v2.sum(), v3: c.v3.sum() }))
        .sort("id6"),
    },
    {
      name: "median v3 sd v3 by id4 id5",
      sql: "SELECT id4, id5, median(v3) AS median_v3, stddev(v3) AS sd_v3 FROM x GROUP BY ALL ORDER BY id4, id5",
      frame: x
        .groupBy("id4", "id5")
        .agg((c) => ({ median_v3: c.v3.median(), sd_v3: c.v3.std() }))
        .sort(["id4", "id5"]),
    },
    {
      name: "max v1 - min v2 by id3",
      sql: "SELECT id3, max(v1) - min(v2) AS range_v1_v2 FROM x GROUP BY id3 ORDER BY id3",
      frame: x
        .groupBy("id3")
        .agg((c) => ({ range_v1_v2: c.v1.max().sub(c.v2.min()) }))
        .sort("id3"),
    },
    {
      name: "largest two v3 by id6",
      sql: `SELECT id6, v3 AS largest2_v3 FROM x
        QUALIFY row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC) <= 2 ORDER BY id6, v3 DESC`,
      frame: x
        .with((c) => ({ place: rowNumber().over({ by: c.id6, order: c.v3.desc() }) }))
        .filter((c) => c.place.le(2))
        .select("id6", "v3")
        .rename({ v3: "largest2_v3" })
        .sort({ id6: "asc", largest2_v3: "desc" }),
    },
    {
      name: "regression v1 v2 by id2 id4",
      sql: "SELECT id2, id4, pow(corr(v1, v2), 2) AS r2 FROM x GROUP BY ALL ORDER BY id2, id4",
      frame: x
        .groupBy("id2", "id4")
        .agg((c) => ({ r2: c.v1.corr(c.v2).pow(2) }))
        .sort(["id2", "id4"]),
    },
    {
      name: "sum v3 count by id1:id6",
      sql: "SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS count FROM x GROUP BY ALL ORDER BY ALL",
      frame: x
        .groupBy("id1", "id2", "id3", "id4", "id5", "id6")
        .agg((c) => ({ v3: c.v3.sum(), count: count() }))
        .sort(["id1", "id2", "id3", "id4", "id5", "id6", "v3"]),
    },
    {
      name: "small inner on int",
      sql: `SELECT ${joined} FROM big JOIN small USING (id1)`,
      frame: big
        .join(small, ["id1"], { suffix: "_small" })
        .agg((c) => ({ n: count(), v1: c.v1.sum(), v2: c.v2.sum() })),
    },
    {
      name: "medium inner on int",
      sql: `SELECT ${joined} FROM big JOIN medium USING (id2)`,
      frame: big
        .join(medium, ["id2"], { suffix: "_medium" })
        .agg((c) => ({ n: count(), v1: c.v1.sum(), v2: c.v2.sum() })),
    },
    {
      name: "medium outer on int",
      sql: `SELECT ${joined} FROM big LEFT JOIN medium USING (id2)`,
      frame: big
        .join(medium, ["id2"], { how: "left", suffix: "_medium" })
        .agg((c) => ({ n: count(), v1: c.v1.sum(), v2: c.v2.sum() })),
    },
    {
      name: "medium inner on factor",
      sql: `SELECT ${joined} FROM big JOIN medium USING (id5)`,
      frame: big
        .join(medium, ["id5"], { suffix: "_medium" })
        .agg((c) => ({ n: count(), v1: c.v1.sum(), v2: c.v2.sum() })),
    },
    {
      name: "big inner on int",
      sql: "SELECT count(*) AS n, sum(v1) AS v1, sum(w) AS v2 FROM big JOIN (SELECT id3, v1 AS w FROM big WHERE id3 % 2 = 0) USING (id3)",
      frame: big
        .join(
          big
            .filter((c) => c.id3.mod(2).eq(0))
            .select("id3", "v1")
            .rename({ v1: "v2" }),
          ["id3"],
        )
        .agg((c) => ({ n: count(), v1: c.v1.sum(), v2: c.v2.sum() })),
    },
  ];
}
