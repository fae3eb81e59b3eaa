import { PawlError } from "../../../errors.ts";
import { publicUrl } from "../../../postgres-url.ts";
import type { PostgresSession } from "../session.ts";
import type { LoadTarget } from "./load/load-target.ts";
import { givenColumns, type RowLayout } from "./load/row-layout.ts";

/** Older servers lack `pg_terminate_backend` with a time limit; 13 has had no support since 2025. */
const oldest = 140_000;

export async function checkServer(session: PostgresSession, url: string, staging = true): Promise<void> {
  const { rows } = await session.query<{ number: number; version: string; readonly: boolean; temp: boolean }>(
    `SELECT pg_catalog.current_setting('server_version_num')::int AS number, pg_catalog.current_setting('server_version') AS version,
            pg_catalog.current_setting('transaction_read_only')::boolean AS readonly,
            pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMP') AS temp`,
  );
  const [server] = rows;
  if (server === undefined) return;
  const where = publicUrl(url);
  if (server.number < oldest) {
    throw new PawlError(
      "postgres.version",
      `${where} is PostgreSQL ${server.version}: Pawl needs 14 or newer.`,
    );
  }
  if (server.readonly) {
    throw new PawlError("postgres.read-only", `${where} is read-only: use the primary server.`);
  }
  if (staging && !server.temp) {
    throw new PawlError(
      "postgres.permission",
      `The user may not create temporary tables at ${where}, which rows pass through: GRANT TEMPORARY ON DATABASE to it.`,
    );
  }
}

/** Says which right is missing before the first row would. */
export async function checkPermissions(
  session: PostgresSession,
  target: LoadTarget,
  layout: RowLayout,
): Promise<void> {
  const { table, key, mode } = target;
  const columns = givenColumns(layout);
  const keys = new Set(key?.columns.map((column) => column.name));
  const missing: string[] = [];
  if (!columns.every((column) => column.mayInsert)) missing.push("INSERT");
  const updates = mode === "update" && key !== null;
  if (updates && !columns.every((column) => keys.has(column.name) || column.mayUpdate))
    missing.push("UPDATE");
  if (key !== null && !table.maySelect) missing.push("SELECT");
  if (missing.length === 0) return;
  const { rows } = await session.query<{ name: string }>("SELECT current_user::text AS name");
  const user = rows[0]?.name ?? "the user";
  throw new PawlError(
    "postgres.permission",
    `The user ${user} may not write to ${table.label}: GRANT ${missing.join(", ")} ON ${table.label} TO ${user}.`,
  );
}
