import { Session } from "./connection.ts";
import { explain } from "./errors.ts";
import { writesTo } from "./same-table.ts";
import { findTable } from "./table.ts";

// A file of its own, so that the types of the package do not lead to those of the driver.

/** Whether a run that has not ended writes to a table of this database, by whatever name that was given. */
export async function writesToTable(url: string, run: string, name: string): Promise<boolean> {
  const session = await Session.open(url, "pawl reader");
  try {
    const table = await findTable(session, name);
    return table !== null && (await writesTo(session, run, table));
  } catch (error) {
    throw explain(error, url);
  } finally {
    await session.close();
  }
}
