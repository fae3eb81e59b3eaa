/** What the floors above need of PostgreSQL, and a user does not. */

export { primaryKeyOf } from "./catalog.ts";
export { embeddedUrl } from "./embedded/server.ts";
export { explain } from "./errors.ts";
export { quoteName, quoteText } from "./identifier.ts";
export { runSqlTexts } from "./run-sql.ts";
export { PostgresSession } from "./session.ts";
export { writesToTable } from "./sink/same-table.ts";
export { type ReadableColumn, type ReadableTable, readableTable } from "./source/table-columns.ts";
