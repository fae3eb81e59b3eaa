/** What the floors above need of PostgreSQL, and a user does not. */
export { embeddedUrl } from "./embedded/server.ts";
export { runSqlTexts } from "./run-sql.ts";
export { writesToTable } from "./sink/same-table.ts";
export { primaryKeyOf } from "./table.ts";
