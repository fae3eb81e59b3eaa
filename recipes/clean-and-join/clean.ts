import { date, decimal, readCsv, readJsonl, text, timestamp } from "pawl/data";

/** Orders as the shop exports them: German numbers and dates, spaces, the same order again after each change. */
function ordersOf(file: string) {
  return readCsv(
    file,
    { number: text(), customer: text().nullable(), amount: text().nullable(), day: text().nullable() },
    { delimiter: ";" },
  ).with((c) => ({
    number: c.number.trim(),
    email: c.customer.trim().lower(),
    // 1.234,50 is 1234.50.
    value: c.amount.replaceAll(".", "").replaceAll(",", ".").tryCast(decimal(12, 2)),
    date: c.day.trim().tryParseDate("%d.%m.%Y"),
  }));
}

/** Customers, of each the line that was changed last. */
function customersOf(file: string) {
  return readJsonl(file, { email: text(), name: text(), country: text().nullable(), changed: timestamp() })
    .with((c) => ({ email: c.email.trim().lower(), name: c.name.trim(), country: c.country.trim().upper() }))
    .distinct("email", { order: { changed: "desc" } })
    .drop("changed");
}

/** The sources as one table, and the orders that cannot be in it. */
export function shop(folder: string) {
  const orders = ordersOf(`${folder}/orders.csv`);
  const countries = readCsv(`${folder}/countries.csv`, { code: text(), countryName: text() });
  const refused = orders
    .filter((c) => c.value.isNull().or(c.date.isNull()).or(c.email.isNull()))
    .select("number", "customer", "amount", "day");
  const clean = orders
    .dropNull("value", "date", "email")
    .distinct("number", { order: { date: "desc", value: "desc" } })
    .select("number", "email", "date", "value")
    .join(customersOf(`${folder}/customers.jsonl`), "email", { how: "left" })
    .join(countries, { country: "code" }, { how: "left" })
    .with((c) => ({ year: c.date.year() }));
  return { clean, refused };
}

/** The columns of the result, for who reads it. */
export const cleanSchema = {
  number: text(),
  email: text(),
  date: date(),
  value: decimal(12, 2),
  name: text().nullable(),
  country: text().nullable(),
  countryName: text().nullable(),
};

if (import.meta.main) {
  const [folder = "."] = process.argv.slice(2);
  const { clean, refused } = shop(folder);
  const { rows } = await clean.writeParquet(`${folder}/clean`, { partitionBy: ["year"], overwrite: true });
  const bad = await refused.writeCsv(`${folder}/refused.csv`, { overwrite: true });
  console.log(`${rows} orders in ${folder}/clean, ${bad.rows} refused in ${folder}/refused.csv`);
}
