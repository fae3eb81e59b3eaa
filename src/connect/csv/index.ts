/** CSV files of any size as a source of rows. */
export { type CsvChunk, type CsvDialect, type CsvRow, type CsvSource, isCsvChunk } from "./contract.ts";
export { sharedFile } from "./open/identity.ts";
export { type Silence, silences } from "./open/pipe.ts";
export { keptPath, keptPaths } from "./open/remote.ts";
export { type CsvOptions, type DateOrder, withoutDefaults } from "./options.ts";
export { parseRecord } from "./rows/record-parser.ts";
export { writeField } from "./rows/row-reader.ts";
export { csv } from "./source.ts";
