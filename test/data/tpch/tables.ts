import {
  date,
  decimal,
  type Frame,
  type FrameRunOptions,
  int32,
  int64,
  lit,
  readParquet,
  text,
} from "../../../src/data/index.ts";
import type { TpchData } from "./data.ts";

const money = decimal(15, 2);

const customer = {
  c_custkey: int64(),
  c_name: text(),
  c_address: text(),
  c_nationkey: int32(),
  c_phone: text(),
  c_acctbal: money,
  c_mktsegment: text(),
  c_comment: text(),
};
const lineitem = {
  l_orderkey: int64(),
  l_partkey: int64(),
  l_suppkey: int64(),
  l_linenumber: int64(),
  l_quantity: money,
  l_extendedprice: money,
  l_discount: money,
  l_tax: money,
  l_returnflag: text(),
  l_linestatus: text(),
  l_shipdate: date(),
  l_commitdate: date(),
  l_receiptdate: date(),
  l_shipinstruct: text(),
  l_shipmode: text(),
  l_comment: text(),
};
const nation = { n_nationkey: int32(), n_name: text(), n_regionkey: int32(), n_comment: text() };
const orders = {
  o_orderkey: int64(),
  o_custkey: int64(),
  o_orderstatus: text(),
  o_totalprice: money,
  o_orderdate: date(),
  o_orderpriority: text(),
  o_clerk: text(),
  o_shippriority: int32(),
  o_comment: text(),
};
const part = {
  p_partkey: int64(),
  p_name: text(),
  p_mfgr: text(),
  p_brand: text(),
  p_type: text(),
  p_size: int32(),
  p_container: text(),
  p_retailprice: money,
  p_comment: text(),
};
const partsupp = {
  ps_partkey: int64(),
  ps_suppkey: int64(),
  ps_availqty: int64(),
  ps_supplycost: money,
  ps_comment: text(),
};
const region = { r_regionkey: int32(), r_name: text(), r_comment: text() };
const supplier = {
  s_suppkey: int64(),
  s_name: text(),
  s_address: text(),
  s_nationkey: int32(),
  s_phone: text(),
  s_acctbal: money,
  s_comment: text(),
};

/** The tables of TPC-H as frames. */
export interface Tables {
  readonly customer: Frame<typeof customer>;
  readonly lineitem: Frame<typeof lineitem>;
  readonly nation: Frame<typeof nation>;
  readonly orders: Frame<typeof orders>;
  readonly part: Frame<typeof part>;
  readonly partsupp: Frame<typeof partsupp>;
  readonly region: Frame<typeof region>;
  readonly supplier: Frame<typeof supplier>;
}

export function tablesOf({ file }: Pick<TpchData, "file">): Tables {
  return {
    customer: readParquet(file("customer"), customer),
    lineitem: readParquet(file("lineitem"), lineitem),
    nation: readParquet(file("nation"), nation),
    orders: readParquet(file("orders"), orders),
    part: readParquet(file("part"), part),
    partsupp: readParquet(file("partsupp"), partsupp),
    region: readParquet(file("region"), region),
    supplier: readParquet(file("supplier"), supplier),
  };
}

/** What a question is asked of: any frame. */
export interface Question {
  collect(options?: FrameRunOptions): Promise<readonly object[]>;
}

/** As decimals, so that nothing becomes a floating-point number. */
export const one = lit("1", decimal(1, 0));
export const zero = lit("0", decimal(1, 0));
