/** PostgreSQL as the end of a batch, and the embedded server that needs no installation. */
export {
  type EmbeddedOptions,
  type EmbeddedServer,
  embeddedUrl,
  startEmbedded,
  stopEmbedded,
} from "./embedded.ts";
export type { OnConflict, PostgresOptions } from "./options.ts";
export { runSql, type SqlResult } from "./run-sql.ts";
export { postgres } from "./sink.ts";
export { publicUrl } from "../../postgres-url.ts";
