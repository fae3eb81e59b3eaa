import { count } from "../../../../src/data/index.ts";
import { one, type Question, type Tables } from "../tables.ts";

/** Pricing summary. */
export function question1({ lineitem }: Tables): Question {
  return lineitem
    .filter((c) => c.l_shipdate.le("1998-09-02"))
    .with((c) => ({ disc_price: c.l_extendedprice.mul(one.sub(c.l_discount)) }))
    .groupBy("l_returnflag", "l_linestatus")
    .agg((c) => ({
      sum_qty: c.l_quantity.sum(),
      sum_base_price: c.l_extendedprice.sum(),
      sum_disc_price: c.disc_price.sum(),
      sum_charge: c.disc_price.mul(one.add(c.l_tax)).sum(),
      avg_qty: c.l_quantity.mean(),
      avg_price: c.l_extendedprice.mean(),
      avg_disc: c.l_discount.mean(),
      count_order: count(),
    }))
    .sort(["l_returnflag", "l_linestatus"]);
}

/** Minimum cost supplier. */
export function question2({ part, supplier, partsupp, nation, region }: Tables): Question {
  const offers = partsupp
    .join(supplier, { ps_suppkey: "s_suppkey" })
    .join(nation, { s_nationkey: "n_nationkey" })
    .join(
      region.filter((c) => c.r_name.eq("EUROPE")),
      { n_regionkey: "r_regionkey" },
    );
  const cheapest = offers.groupBy("ps_partkey").agg((c) => ({ cheapest: c.ps_supplycost.min() }));
  return part
    .filter((c) => c.p_size.eq(15).and(c.p_type.endsWith("BRASS")))
    .join(offers, { p_partkey: "ps_partkey" })
    .join(cheapest, { p_partkey: "ps_partkey" })
    .filter((c) => c.ps_supplycost.eq(c.cheapest))
    .select("s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment")
    .sort({ s_acctbal: "desc", n_name: "asc", s_name: "asc", p_partkey: "asc" })
    .limit(100);
}

/** Shipping priority. */
export function question3({ customer, orders, lineitem }: Tables): Question {
  return lineitem
    .filter((c) => c.l_shipdate.gt("1995-03-15"))
    .join(
      orders.filter((c) => c.o_orderdate.lt("1995-03-15")),
      { l_orderkey: "o_orderkey" },
    )
    .join(
      customer.filter((c) => c.c_mktsegment.eq("BUILDING")),
      { o_custkey: "c_custkey" },
    )
    .groupBy("l_orderkey", "o_orderdate", "o_shippriority")
    .agg((c) => ({ revenue: c.l_extendedprice.mul(one.sub(c.l_discount)).sum() }))
    .select("l_orderkey", "revenue", "o_orderdate", "o_shippriority")
    .sort({ revenue: "desc", o_orderdate: "asc" })
    .limit(10);
}

/** Order priority checking. */
export function question4({ orders, lineitem }: Tables): Question {
  return orders
    .filter((c) => c.o_orderdate.ge("1993-07-01").and(c.o_orderdate.lt("1993-10-01")))
    .join(
      lineitem.filter((c) => c.l_commitdate.lt(c.l_receiptdate)),
      { o_orderkey: "l_orderkey" },
      { how: "semi" },
    )
    .groupBy("o_orderpriority")
    .agg(() => ({ order_count: count() }))
    .sort("o_orderpriority");
}

/** Local supplier volume. */
export function question5({ customer, orders, lineitem, supplier, nation, region }: Tables): Question {
  return lineitem
    .join(
      orders.filter((c) => c.o_orderdate.ge("1994-01-01").and(c.o_orderdate.lt("1995-01-01"))),
      {
        l_orderkey: "o_orderkey",
      },
    )
    .join(customer, { o_custkey: "c_custkey" })
    .join(supplier, { l_suppkey: "s_suppkey", c_nationkey: "s_nationkey" })
    .join(nation, { c_nationkey: "n_nationkey" })
    .join(
      region.filter((c) => c.r_name.eq("ASIA")),
      { n_regionkey: "r_regionkey" },
    )
    .groupBy("n_name")
    .agg((c) => ({ revenue: c.l_extendedprice.mul(one.sub(c.l_discount)).sum() }))
    .sort({ revenue: "desc" });
}

/** Forecasting revenue change. */
export function question6({ lineitem }: Tables): Question {
  return lineitem
    .filter((c) =>
      c.l_shipdate
        .ge("1994-01-01")
        .and(c.l_shipdate.lt("1995-01-01"))
        .and(c.l_discount.between("0.05", "0.07"))
        .and(c.l_quantity.lt(24)),
    )
    .agg((c) => ({ revenue: c.l_extendedprice.mul(c.l_discount).sum() }));
}
