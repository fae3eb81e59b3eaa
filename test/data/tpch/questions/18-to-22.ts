import { count } from "../../../../src/data/index.ts";
import { one, type Question, type Tables } from "../tables.ts";

/** Large volume customer. */
export function question18({ customer, orders, lineitem }: Tables): Question {
  const large = lineitem
    .groupBy("l_orderkey")
    .agg((c) => ({ sum: c.l_quantity.sum() }))
    .filter((c) => c.sum.gt(300));
  return orders
    .join(large, { o_orderkey: "l_orderkey" })
    .join(customer, { o_custkey: "c_custkey" })
    .rename({ o_custkey: "c_custkey" })
    .select("c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice", "sum")
    .sort({ o_totalprice: "desc", o_orderdate: "asc" })
    .limit(100);
}

/** Discounted revenue. */
export function question19({ lineitem, part }: Tables): Question {
  return lineitem
    .filter((c) => c.l_shipmode.in(["AIR", "AIR REG"]).and(c.l_shipinstruct.eq("DELIVER IN PERSON")))
    .join(part, { l_partkey: "p_partkey" })
    .filter((c) =>
      c.p_brand
        .eq("Brand#12")
        .and(c.p_container.in(["SM CASE", "SM BOX", "SM PACK", "SM PKG"]))
        .and(c.l_quantity.between(1, 11))
        .and(c.p_size.between(1, 5))
        .or(
          c.p_brand
            .eq("Brand#23")
            .and(c.p_container.in(["MED BAG", "MED BOX", "MED PKG", "MED PACK"]))
            .and(c.l_quantity.between(10, 20))
            .and(c.p_size.between(1, 10)),
        )
        .or(
          c.p_brand
            .eq("Brand#34")
            .and(c.p_container.in(["LG CASE", "LG BOX", "LG PACK", "LG PKG"]))
            .and(c.l_quantity.between(20, 30))
            .and(c.p_size.between(1, 15)),
        ),
    )
    .agg((c) => ({ revenue: c.l_extendedprice.mul(one.sub(c.l_discount)).sum() }));
}

/** Potential part promotion. */
export function question20({ supplier, nation, partsupp, part, lineitem }: Tables): Question {
  const shipped = lineitem
    .filter((c) => c.l_shipdate.ge("1994-01-01").and(c.l_shipdate.lt("1995-01-01")))
    .groupBy("l_partkey", "l_suppkey")
    .agg((c) => ({ shipped: c.l_quantity.sum() }));
  const surplus = partsupp
    .join(
      part.filter((c) => c.p_name.startsWith("forest")),
      { ps_partkey: "p_partkey" },
      { how: "semi" },
    )
    .join(shipped, { ps_partkey: "l_partkey", ps_suppkey: "l_suppkey" })
    .filter((c) => c.ps_availqty.gt(c.shipped.mul("0.5")));
  return supplier
    .join(surplus, { s_suppkey: "ps_suppkey" }, { how: "semi" })
    .join(
      nation.filter((c) => c.n_name.eq("CANADA")),
      { s_nationkey: "n_nationkey" },
    )
    .select("s_name", "s_address")
    .sort("s_name");
}

/** Suppliers who kept orders waiting. */
export function question21({ supplier, lineitem, orders, nation }: Tables): Question {
  const late = lineitem.filter((c) => c.l_receiptdate.gt(c.l_commitdate));
  // Of one supplier alone the smallest and the largest are the same.
  const shared = lineitem
    .groupBy("l_orderkey")
    .agg((c) => ({ least: c.l_suppkey.min(), largest: c.l_suppkey.max() }))
    .filter((c) => c.least.ne(c.largest));
  const blamed = late
    .groupBy("l_orderkey")
    .agg((c) => ({ least: c.l_suppkey.min(), largest: c.l_suppkey.max() }))
    .filter((c) => c.least.eq(c.largest));
  return late
    .join(supplier, { l_suppkey: "s_suppkey" })
    .join(
      nation.filter((c) => c.n_name.eq("SAUDI ARABIA")),
      { s_nationkey: "n_nationkey" },
    )
    .join(
      orders.filter((c) => c.o_orderstatus.eq("F")),
      { l_orderkey: "o_orderkey" },
      { how: "semi" },
    )
    .join(shared, ["l_orderkey"], { how: "semi" })
    .join(blamed, ["l_orderkey"], { how: "semi" })
    .groupBy("s_name")
    .agg(() => ({ numwait: count() }))
    .sort({ numwait: "desc", s_name: "asc" })
    .limit(100);
}

/** Global sales opportunity. */
export function question22({ customer, orders }: Tables): Question {
  const chosen = customer
    .with((c) => ({ cntrycode: c.c_phone.slice(0, 2) }))
    .filter((c) => c.cntrycode.in(["13", "31", "23", "29", "30", "18", "17"]));
  const average = chosen.filter((c) => c.c_acctbal.gt(0)).agg((c) => ({ average: c.c_acctbal.mean() }));
  return chosen
    .cross(average)
    .filter((c) => c.c_acctbal.gt(c.average))
    .join(orders, { c_custkey: "o_custkey" }, { how: "anti" })
    .groupBy("cntrycode")
    .agg((c) => ({ numcust: count(), totacctbal: c.c_acctbal.sum() }))
    .sort("cntrycode");
}
