import { join } from "node:path";
import { PermanentError } from "pawl/tasks";
import { rowsOf, writeWhole } from "./files.ts";

/** The orders of one region on one day. Files are passed by name: a result is small, a file need not be. */
export interface Batch {
  readonly day: string;
  readonly region: string;
}

export interface Score {
  readonly segment: number;
  readonly customers: number;
  readonly revenue: number;
  /** The customer that spent most. */
  readonly best: string | null;
  readonly bestRevenue: number;
}

export const SEGMENTS = 10;

export function pathOf({ day, region }: Batch, name: string): string {
  return join(process.env.WORK ?? "work", day, region, name);
}

export async function fetchOrders(batch: Batch, signal: AbortSignal): Promise<void> {
  const { SHOP_URL = "http://127.0.0.1:8090" } = process.env;
  const query = new URLSearchParams({ day: batch.day, region: batch.region });
  const answer = await fetch(`${SHOP_URL}/orders?${query}`, { signal });
  if (answer.status >= 400 && answer.status < 500) {
    throw new PermanentError(
      `The shop refuses the orders of ${batch.region} on ${batch.day}: ${answer.status}.`,
    );
  }
  if (!answer.ok || answer.body === null) throw new Error(`The shop answers ${answer.status}.`);
  await writeWhole(pathOf(batch, "orders.csv"), answer.body, signal);
}

export async function cleanOrders(batch: Batch): Promise<{ rows: number; dropped: number }> {
  const counts = { rows: 0, dropped: 0 };
  async function* clean(): AsyncGenerator<string> {
    yield "customer,amount\n";
    for await (const [customer = "", amount = ""] of rowsOf(pathOf(batch, "orders.csv"))) {
      if (customer === "" || !(Number(amount) > 0)) counts.dropped++;
      else {
        counts.rows++;
        yield `${customer},${Number(amount).toFixed(2)}\n`;
      }
    }
  }
  await writeWhole(pathOf(batch, "clean.csv"), clean());
  return counts;
}

/** What each customer did, and the segment that they belong to. */
export async function makeFeatures(batch: Batch): Promise<void> {
  const customers = new Map<string, { orders: number; revenue: number }>();
  for await (const [customer = "", amount] of rowsOf(pathOf(batch, "clean.csv"))) {
    const { orders, revenue } = customers.get(customer) ?? { orders: 0, revenue: 0 };
    customers.set(customer, { orders: orders + 1, revenue: revenue + Number(amount) });
  }
  const lines = [...customers].map(
    ([customer, { orders, revenue }]) =>
      `${segmentOf(customer)},${customer},${orders},${revenue.toFixed(2)}\n`,
  );
  await writeWhole(pathOf(batch, "features.csv"), ["segment,customer,orders,revenue\n", ...lines]);
}

function segmentOf(customer: string): number {
  return [...customer].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 0) % SEGMENTS;
}

export async function scoreSegment(batch: Batch, segment: number): Promise<Score> {
  let score: Score = { segment, customers: 0, revenue: 0, best: null, bestRevenue: 0 };
  for await (const [of, customer = "", , text] of rowsOf(pathOf(batch, "features.csv"))) {
    if (Number(of) !== segment) continue;
    const revenue = Number(text);
    const { best, bestRevenue } =
      revenue > score.bestRevenue ? { best: customer, bestRevenue: revenue } : score;
    score = {
      segment,
      customers: score.customers + 1,
      revenue: score.revenue + revenue,
      best,
      bestRevenue,
    };
  }
  return score;
}
