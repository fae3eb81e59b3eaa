import { count, decimal, readCsv, text } from "pawl/data";

/** Per user the sum, number and mean of all transactions above 100, the largest sum first. */
export function totals(files: string) {
  return readCsv(files, { id: text(), user: text(), amount: decimal(12, 2), currency: text() })
    .filter((c) => c.amount.gt(100))
    .groupBy("user")
    .agg((c) => ({ totalAmount: c.amount.sum(), transactions: count(), meanAmount: c.amount.mean() }))
    .sort({ totalAmount: "desc", user: "asc" });
}

if (import.meta.main) {
  const [files = "transactions_*.csv", to = "totals.parquet"] = process.argv.slice(2);
  const { rows } = await totals(files).writeParquet(to, { memory: "1GB", overwrite: true });
  console.log(`${rows} users in ${to}`);
}
