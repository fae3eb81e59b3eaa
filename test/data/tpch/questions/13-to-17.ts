import { count, when } from "../../../../src/data/index.ts";
import { one, type Question, type Tables, zero } from "../tables.ts";

/** Customer distribution. */
export function question13({ customer, orders }: Tables): Question {
  const usual = orders.filter((c) => c.o_comment.like("%special%requests%").not());
  return customer
    .join(usual, { c_custkey: "o_custkey" }, { how: "left" })
    .groupBy("c_custkey")
    .agg((c) => ({ c_count: c.o_orderkey.count() }))
    .groupBy("c_count")
    .agg(() => ({ custdist: count() }))
    .sort({ custdist: "desc", c_count: "desc" });
}

/** Promotion effect. */
export function question14({ lineitem, part }: Tables): Question {
  return lineitem
    .filter((c) => c.l_shipdate.ge("1995-09-01").and(c.l_shipdate.lt("1995-10-01")))
    .join(part, { l_partkey: "p_partkey" })
    .with((c) => ({ price: c.l_extendedprice.mul(one.sub(c.l_discount)) }))
    .agg((c) => ({
      promo_revenue: when(c.p_type.startsWith("PROMO"), c.price)
        .otherwise(zero)
        .sum()
        .mul(100)
        .div(c.price.sum()),
    }));
}

/** Top supplier. */
export function question15({ supplier, lineitem }: Tables): Question {
  const revenue = lineitem
    .filter((c) => c.l_shipdate.ge("1996-01-01").and(c.l_shipdate.lt("1996-04-01")))
    .groupBy("l_suppkey")
    .agg((c) => ({ total_revenue: c.l_extendedprice.mul(one.sub(c.l_discount)).sum() }));
  const best = revenue.agg((c) => ({ best: c.total_revenue.max() }));
  return supplier
    .join(revenue, { s_suppkey: "l_suppkey" })
    .cross(best)
    .filter((c) => c.total_revenue.eq(c.best))
    .select("s_suppkey", "s_name", "s_address", "s_phone", "total_revenue")
    .sort("s_suppkey");
}

/** Parts and suppliers. */
export function question16({ partsupp, part, supplier }: Tables): Question {
  const complained = supplier.filter((c) => c.s_comment.like("%Customer%Complaints%"));
  return partsupp
    .join(
      part.filter((c) =>
        c.p_brand
          .ne("Brand#45")
          .and(c.p_type.startsWith("MEDIUM POLISHED").not())
          .and(c.p_size.in([49, 14, 23, 45, 19, 3, 36, 9])),
      ),
      { ps_partkey: "p_partkey" },
    )
    .join(complained, { ps_suppkey: "s_suppkey" }, { how: "anti" })
    .groupBy("p_brand", "p_type", "p_size")
    .agg((c) => ({ supplier_cnt: c.ps_suppkey.countDistinct() }))
    .sort({ supplier_cnt: "desc", p_brand: "asc", p_type: "asc", p_size: "asc" });
}

/** Small-quantity orders. */
export function question17({ lineitem, part }: Tables): Question {
  const chosen = part.filter((c) => c.p_brand.eq("Brand#23").and(c.p_container.eq("MED BOX")));
  const usual = lineitem
    .join(chosen, { l_partkey: "p_partkey" }, { how: "semi" })
    .groupBy("l_partkey")
    .agg((c) => ({ usual: c.l_quantity.mean() }));
  return lineitem
    .join(usual, ["l_partkey"])
    .filter((c) => c.l_quantity.lt(c.usual.mul(0.2)))
    .agg((c) => ({ avg_yearly: c.l_extendedprice.sum().div(7) }));
}
