/** Data bigger than memory: typed lazy frames on DuckDB. */

import "../node-version.ts";

export { type Computed, computeAll } from "./compute-all.ts";
export type { ComputeOptions, ComputeProgress } from "./delayed/compute.ts";
export { type Delayable, type Delayed, type DelayedOptions, delayed } from "./delayed/delayed.ts";
export { DelayedError } from "./delayed/error.ts";
export type { Columns } from "./expr/columns.ts";
export {
  type Condition,
  count,
  type Expression,
  type ExpressionLike,
  type ExpressionOf,
  lit,
  type OrderLike,
  type RowOrder,
  type TimeSpan,
  type TimeUnit,
  type WindowOptions,
} from "./expr/expression.ts";
export {
  coalesce,
  denseRank,
  greatest,
  hash,
  least,
  ntile,
  percentRank,
  rank,
  rowNumber,
  type SqlText,
  when,
} from "./expr/free-functions.ts";
export type {
  AggregateOf,
  EpochUnit,
  NumberFormat,
  Order,
  RangeEnd,
  When,
  Windowed,
} from "./expr/typed.ts";
export { type AnyFrame, CachedFrame, type CacheOptions, Frame, Group } from "./frame/frame.ts";
export { fromRows } from "./frame/from-rows.ts";
export {
  type ReadCsvOptions,
  type ReadFilesOptions,
  type ReadJsonlOptions,
  readCsv,
  readJsonl,
  readParquet,
} from "./frame/read.ts";
export type { FrameProgress, FrameRunOptions } from "./frame/run.ts";
export { sql } from "./frame/sql.ts";
export type {
  WriteCsvOptions,
  WriteJsonlOptions,
  WriteParquetOptions,
  WriteResult,
  WrittenFile,
} from "./frame/write.ts";
export type { GraphFormat } from "./graph/description.ts";
export type { PartitionFunction, PartitionOptions } from "./parts/map-partitions.ts";
export type { PartitionContext } from "./parts/part-worker.ts";
export type { GivenColumns, GivenValues, PartitionColumns, PartitionValues } from "./parts/partition.ts";
export { describeExcel, type ExcelOptions, readExcel, sheetNames } from "./read/excel/read-excel.ts";
export { describeTable, readTable } from "./read/read-table.ts";
export {
  bool,
  bytes,
  ColumnType,
  date,
  decimal,
  type FrameSchema,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  json,
  list,
  type Row,
  struct,
  text,
  time,
  timestamp,
  timestamptz,
  uint8,
  uint16,
  uint32,
  uint64,
  uuid,
} from "./schema/column-type.ts";
export type { IntoOptions } from "./source/into.ts";
