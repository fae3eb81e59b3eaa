/** CSV files of any size as a source of rows. */
export { type CsvChunk, type CsvDialect, type CsvRow, type CsvSource, isCsvChunk } from "./chunk.ts";
export { sharedFile } from "./identity.ts";
export { type CsvOptions, type DateOrder, withoutDefaults } from "./options.ts";
export { parseRecord } from "./record-parser.ts";
export { keptPath, keptPaths } from "./remote.ts";
export { writeField } from "./row-reader.ts";
export { type Silence, silences } from "./single-pass.ts";
export { csv } from "./source.ts";
