import { Session } from "./connection.ts";
import { explain } from "./errors.ts";
import { writesTo } from "./same-table.ts";
import { findTable, type Table } from "./table.ts";

// A file of its own, so that the types of the package do not lead to those of the driver.

/** Whether a run that has not ended writes to a table of this database, by whatever name that was given. */
export async function writesToTable(url: string, run: string, name: string): Promise<boolean> {
  return await ofTable(
    url,
    name,
    async (session, table) => table !== null && (await writesTo(session, run, table)),
  );
}

/** The columns of the primary key of a table; null where it has none, or where there is no such table. */
export async function primaryKeyOf(url: string, name: string): Promise<readonly string[] | null> {
  return await ofTable(
    url,
    name,
    async (_, table) => table?.keys.find(({ primary }) => primary)?.columns ?? null,
  );
}

async function ofTable<T>(
  url: string,
  name: string,
  look: (session: Session, table: Table | null) => Promise<T>,
): Promise<T> {
  const session = await Session.open(url, "pawl reader");
  try {
    return await look(session, await findTable(session, name));
  } catch (error) {
    throw explain(error, url);
  } finally {
    await session.close();
  }
}
