/** CSV files of any size as a source of rows. */
export { type CsvChunk, type CsvDialect, type CsvRow, isCsvChunk } from "./chunk.ts";
export { identityDifference } from "./identity.ts";
export type { CsvOptions } from "./options.ts";
export { parseRecord } from "./record-parser.ts";
export { type CsvSource, csv } from "./source.ts";
