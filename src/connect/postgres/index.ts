/** PostgreSQL as the end of a batch, and the embedded server that needs no installation. */

import "../../node-version.ts";

export { publicUrl } from "../../postgres-url.ts";
export {
  type EmbeddedOptions,
  type EmbeddedServer,
  embeddedUrl,
  startEmbedded,
  stopEmbedded,
} from "./embedded/server.ts";
export type { DelOptions, OnConflict, PostgresOptions, TableOptions, UpdateOptions } from "./options.ts";
export {
  primaryKeyOf,
  runSql,
  runSqlTexts,
  type SqlResult,
  type SqlTexts,
  writesToTable,
} from "./run-sql.ts";
export { del, insert, update } from "./sink/change.ts";
export { postgres } from "./sink/load.ts";
export { table } from "./source/source.ts";
export { whileBusy, whileQuery, whileReplicaLags } from "./throttles.ts";
