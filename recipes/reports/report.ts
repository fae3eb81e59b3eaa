import { createReadStream } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";

/** One month of an account's orders. */
interface Month {
  orders: number;
  revenue: number;
  largest: number;
}

/** Reads `date,amount` lines. The signal is heard at every line; a disk that never answers cannot be told to. */
export async function readMonths(path: string, signal: AbortSignal): Promise<Map<string, Month>> {
  const months = new Map<string, Month>();
  const input = createReadStream(path);
  try {
    let number = 0;
    for await (const line of createInterface({ input })) {
      signal.throwIfAborted();
      number++;
      if (number > 1 && line !== "") add(line, months, `${path} line ${number}`);
    }
  } finally {
    // Who stops reading lines does not close the file by that.
    input.destroy();
  }
  return months;
}

function add(line: string, months: Map<string, Month>, at: string): void {
  const [date = "", text = ""] = line.split(",");
  const amount = Number(text);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date) || text === "" || Number.isNaN(amount)) {
    throw new SyntaxError(`${at} is not a date and an amount: ${line.slice(0, 60)}`);
  }
  const month = months.get(date.slice(0, 7)) ?? { orders: 0, revenue: 0, largest: 0 };
  month.orders++;
  month.revenue += amount;
  month.largest = Math.max(month.largest, amount);
  months.set(date.slice(0, 7), month);
}

/** The report as CSV, months in order. */
export function drawReport(months: ReadonlyMap<string, Month>): string {
  const lines = [...months]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([month, { orders, revenue, largest }]) =>
      [month, orders, revenue.toFixed(2), (revenue / orders).toFixed(2), largest.toFixed(2)].join(","),
    );
  return `${["month,orders,revenue,mean,largest", ...lines].join("\n")}\n`;
}

/** Whole or not at all, and the same file however often it is written: who is killed here leaves nothing behind. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  await writeFile(part, text);
  await rename(part, path);
}
