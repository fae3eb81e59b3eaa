/** PostgreSQL as the source and the sink of jobs, and the embedded server that needs no installation. */

export { whileBusy, whileQuery, whileReplicaLags } from "./database-throttles.ts";
export { type EmbeddedOptions, type EmbeddedServer, startEmbedded, stopEmbedded } from "./embedded/server.ts";
export type {
  DeleteOptions,
  OnConflict,
  PostgresOptions,
  TableOptions,
  TableRow,
  UpdateOptions,
} from "./options.ts";
export { runSql, type SqlResult } from "./run-sql.ts";
export { del, insert, update } from "./sink/change.ts";
export { postgres } from "./sink/load.ts";
export { table } from "./source/table-source.ts";
