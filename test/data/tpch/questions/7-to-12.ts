import { when } from "../../../../src/data/index.ts";
import { one, type Question, type Tables, zero } from "../tables.ts";

/** Volume shipping. */
export function question7({ supplier, lineitem, orders, customer, nation }: Tables): Question {
  const from = nation
    .select("n_nationkey", "n_name")
    .rename({ n_nationkey: "supp_key", n_name: "supp_nation" });
  const to = nation
    .select("n_nationkey", "n_name")
    .rename({ n_nationkey: "cust_key", n_name: "cust_nation" });
  return lineitem
    .filter((c) => c.l_shipdate.between("1995-01-01", "1996-12-31"))
    .join(supplier, { l_suppkey: "s_suppkey" })
    .join(orders, { l_orderkey: "o_orderkey" })
    .join(customer, { o_custkey: "c_custkey" })
    .join(from, { s_nationkey: "supp_key" })
    .join(to, { c_nationkey: "cust_key" })
    .filter((c) =>
      c.supp_nation
        .eq("FRANCE")
        .and(c.cust_nation.eq("GERMANY"))
        .or(c.supp_nation.eq("GERMANY").and(c.cust_nation.eq("FRANCE"))),
    )
    .with((c) => ({ l_year: c.l_shipdate.year() }))
    .groupBy("supp_nation", "cust_nation", "l_year")
    .agg((c) => ({ revenue: c.l_extendedprice.mul(one.sub(c.l_discount)).sum() }))
    .sort(["supp_nation", "cust_nation", "l_year"]);
}

/** National market share. */
export function question8({ part, supplier, lineitem, orders, customer, nation, region }: Tables): Question {
  const sellers = nation
    .select("n_nationkey", "n_name")
    .rename({ n_nationkey: "seller_key", n_name: "nation" });
  return lineitem
    .join(
      part.filter((c) => c.p_type.eq("ECONOMY ANODIZED STEEL")),
      { l_partkey: "p_partkey" },
    )
    .join(
      orders.filter((c) => c.o_orderdate.between("1995-01-01", "1996-12-31")),
      { l_orderkey: "o_orderkey" },
    )
    .join(customer, { o_custkey: "c_custkey" })
    .join(nation, { c_nationkey: "n_nationkey" })
    .join(
      region.filter((c) => c.r_name.eq("AMERICA")),
      { n_regionkey: "r_regionkey" },
    )
    .join(supplier, { l_suppkey: "s_suppkey" })
    .join(sellers, { s_nationkey: "seller_key" })
    .with((c) => ({ o_year: c.o_orderdate.year(), volume: c.l_extendedprice.mul(one.sub(c.l_discount)) }))
    .groupBy("o_year")
    .agg((c) => ({
      mkt_share: when(c.nation.eq("BRAZIL"), c.volume).otherwise(zero).sum().div(c.volume.sum()),
    }))
    .sort("o_year");
}

/** Product type profit. */
export function question9({ part, supplier, lineitem, partsupp, orders, nation }: Tables): Question {
  return lineitem
    .join(
      part.filter((c) => c.p_name.contains("green")),
      { l_partkey: "p_partkey" },
    )
    .join(partsupp, { l_suppkey: "ps_suppkey", l_partkey: "ps_partkey" })
    .join(orders, { l_orderkey: "o_orderkey" })
    .join(supplier, { l_suppkey: "s_suppkey" })
    .join(nation, { s_nationkey: "n_nationkey" })
    .rename({ n_name: "nation" })
    .with((c) => ({
      o_year: c.o_orderdate.year(),
      amount: c.l_extendedprice.mul(one.sub(c.l_discount)).sub(c.ps_supplycost.mul(c.l_quantity)),
    }))
    .groupBy("nation", "o_year")
    .agg((c) => ({ sum_profit: c.amount.sum() }))
    .sort({ nation: "asc", o_year: "desc" });
}

/** Returned items. */
export function question10({ customer, orders, lineitem, nation }: Tables): Question {
  return lineitem
    .filter((c) => c.l_returnflag.eq("R"))
    .join(
      orders.filter((c) => c.o_orderdate.ge("1993-10-01").and(c.o_orderdate.lt("1994-01-01"))),
      {
        l_orderkey: "o_orderkey",
      },
    )
    .join(customer, { o_custkey: "c_custkey" })
    .join(nation, { c_nationkey: "n_nationkey" })
    .rename({ o_custkey: "c_custkey" })
    .groupBy("c_custkey", "c_name", "c_acctbal", "c_phone", "n_name", "c_address", "c_comment")
    .agg((c) => ({ revenue: c.l_extendedprice.mul(one.sub(c.l_discount)).sum() }))
    .sort({ revenue: "desc" })
    .limit(20);
}

/** Important stock. */
export function question11({ partsupp, supplier, nation }: Tables): Question {
  const stock = partsupp
    .join(supplier, { ps_suppkey: "s_suppkey" })
    .join(
      nation.filter((c) => c.n_name.eq("GERMANY")),
      { s_nationkey: "n_nationkey" },
    )
    .with((c) => ({ worth: c.ps_supplycost.mul(c.ps_availqty) }));
  const threshold = stock.agg((c) => ({ threshold: c.worth.sum().mul("0.0001") }));
  return stock
    .groupBy("ps_partkey")
    .agg((c) => ({ value: c.worth.sum() }))
    .cross(threshold)
    .filter((c) => c.value.gt(c.threshold))
    .select("ps_partkey", "value")
    .sort({ value: "desc" });
}

/** Shipping modes. */
export function question12({ orders, lineitem }: Tables): Question {
  return lineitem
    .filter((c) =>
      c.l_shipmode
        .in(["MAIL", "SHIP"])
        .and(c.l_commitdate.lt(c.l_receiptdate))
        .and(c.l_shipdate.lt(c.l_commitdate))
        .and(c.l_receiptdate.ge("1994-01-01"))
        .and(c.l_receiptdate.lt("1995-01-01")),
    )
    .join(orders, { l_orderkey: "o_orderkey" })
    .with((c) => ({ isHigh: c.o_orderpriority.in(["1-URGENT", "2-HIGH"]) }))
    .groupBy("l_shipmode")
    .agg((c) => ({
      high_line_count: when(c.isHigh, 1).otherwise(0).sum(),
      low_line_count: when(c.isHigh, 0).otherwise(1).sum(),
    }))
    .sort("l_shipmode");
}
