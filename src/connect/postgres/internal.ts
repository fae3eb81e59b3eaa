/** What the floors above need of PostgreSQL, and a user does not. */

export { primaryKeyOf } from "./catalog.ts";
export { embeddedUrl } from "./embedded/server.ts";
export { runSqlTexts } from "./run-sql.ts";
export { writesToTable } from "./sink/same-table.ts";
