/** PostgreSQL as the end of a batch, and the embedded server that needs no installation. */

export { publicUrl } from "../../postgres-url.ts";
export {
  type EmbeddedOptions,
  type EmbeddedServer,
  embeddedUrl,
  startEmbedded,
  stopEmbedded,
} from "./embedded.ts";
export type { DelOptions, TableOptions, UpdateOptions } from "./live/options.ts";
export { del, insert, update } from "./live/sink.ts";
export { table } from "./live/source.ts";
export type { OnConflict, PostgresOptions } from "./options.ts";
export { runSql, runSqlTexts, type SqlResult, type SqlTexts } from "./run-sql.ts";
export { postgres } from "./sink.ts";
export { whileBusy, whileQuery, whileReplicaLags } from "./throttles.ts";
export { primaryKeyOf, writesToTable } from "./writes-to-table.ts";
