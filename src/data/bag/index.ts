/** Bags: items of any kind that may be more than memory holds, and functions over them in every core. */

import "../../node-version.ts";

export { PawlError } from "../../errors.ts";
export { callable } from "../../pool/index.ts";
export { Bag, bag, type KeyOf, RowBag, type SchemaOption } from "./bag.ts";
export type { Comparable, FileCompression } from "./collect.ts";
export type { BagProgress, BagRunOptions, BagSourceOptions } from "./options.ts";
export type { Malformed } from "./steps.ts";
export type { BagCounts, BagResult } from "./tally.ts";
export type { BagWriteOptions, WrittenBag } from "./write.ts";
