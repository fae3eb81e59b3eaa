import { Session } from "./connection.ts";
import { explain } from "./errors.ts";

export interface SqlResult {
  readonly columns: readonly string[];
  /** By column name. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/** Runs one statement for a person to see its result; throws one sentence when the server refuses it. */
export async function runSql(url: string, sql: string): Promise<SqlResult> {
  const session = await Session.open(url, "pawl");
  try {
    const result = await session.query(sql);
    return { columns: result.fields.map((field) => field.name), rows: result.rows };
  } catch (error) {
    throw explain(error, url);
  } finally {
    await session.close();
  }
}
