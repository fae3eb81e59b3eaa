import { type FrameSchema, fieldsOf } from "../schema/column-type.ts";
import { Frame } from "./frame.ts";

/** Reads Parquet files. */
export function readParquet<const S extends FrameSchema>(
  locations: string | readonly string[],
  schema: S,
): Frame<S> {
  return new Frame({
    kind: "scan",
    format: "parquet",
    locations: typeof locations === "string" ? [locations] : [...locations],
    fields: fieldsOf(schema, "readParquet()"),
    hive: [],
    fileColumn: null,
    bad: "fail",
    csv: null,
  });
}

/** Reads CSV files. */
export function readCsv<const S extends FrameSchema>(
  locations: string | readonly string[],
  schema: S,
): Frame<S> {
  return new Frame({
    kind: "scan",
    format: "csv",
    locations: typeof locations === "string" ? [locations] : [...locations],
    fields: fieldsOf(schema, "readCsv()"),
    hive: [],
    fileColumn: null,
    bad: "fail",
    csv: { delimiter: ",", quote: '"', escape: '"', header: true, nullText: "" },
  });
}
