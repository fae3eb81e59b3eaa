import type { Store } from "../contract.ts";
import { SqlStore } from "../sql/store.ts";
import { parseAddress } from "./address.ts";
import { PostgresDriver } from "./driver.ts";
import { migrate } from "./schema.ts";
import { TransactionRunner, type TransactionRunnerOptions } from "./transaction-runner.ts";

/** Opens the store of a database, and creates or updates its tables. Errors as for `openStore`. */
export async function openPostgresStore(
  url: string,
  { create = true, ...options }: TransactionRunnerOptions & { readonly create?: boolean } = {},
): Promise<Store> {
  const address = parseAddress(url);
  const database = new TransactionRunner(address, options);
  try {
    await migrate(database, { create });
    return new SqlStore(new PostgresDriver(database, address));
  } catch (error) {
    await database.close();
    throw error;
  }
}
