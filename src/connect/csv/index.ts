/** CSV files of any size as a source of rows. */

import "../../node-version.ts";

export { type CsvChunk, type CsvDialect, type CsvRow, type CsvSource, isCsvChunk } from "./contract.ts";
export type { CsvOptions, DateOrder } from "./options.ts";
export { csv } from "./source.ts";
