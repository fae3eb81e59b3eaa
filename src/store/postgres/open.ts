import type { Store } from "../contract.ts";
import { parseAddress } from "./address.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { migrate } from "./migrate.ts";
import { PostgresStore } from "./store.ts";

/** Opens the store of a database, and creates or updates its tables. Errors as for `openStore`. */
export async function openPostgresStore(
  url: string,
  { create = true, ...options }: DatabaseOptions & { readonly create?: boolean } = {},
): Promise<Store> {
  const address = parseAddress(url);
  const database = new Database(address, options);
  try {
    await migrate(database, { create });
    return new PostgresStore(database, address);
  } catch (error) {
    await database.close();
    throw error;
  }
}
