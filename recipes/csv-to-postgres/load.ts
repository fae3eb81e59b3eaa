import { defineJob, ItemError } from "pawl/batch";
import { type CsvRow, csv } from "pawl/connect/csv";
import { postgres } from "pawl/connect/postgres";

/** Cleans one row: what cannot be fixed is thrown, and kept for later. */
function clean(row: CsvRow): CsvRow {
  const email = row.email?.trim().toLowerCase() ?? null;
  if (!email?.includes("@")) throw new ItemError(`"${row.email}" is not an e-mail address`);
  return { ...row, email, name: row.name?.trim() ?? null };
}

export default ({ file = "customers.csv" }: Readonly<Record<string, string>>) =>
  defineJob({
    name: "customers",
    key: `customers from ${file}`,
    source: csv(file),
    transform: clean,
    sink: postgres({
      url: process.env.DATABASE_URL ?? "",
      table: "customers",
      set: { processed_at: "now()" },
    }),
  });
