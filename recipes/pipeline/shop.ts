import { createServer, type Server } from "node:http";

/** Stands for the shop's own API: `GET /orders?day=2026-01-31&region=EU` gives that day's orders as CSV. */
export function shop(orders: number, before: (region: string) => Promise<void> = async () => {}): Server {
  return createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? "/", "http://shop");
    const { day, region } = Object.fromEntries(searchParams);
    if (day === undefined || region === undefined) {
      response.writeHead(400).end();
      return;
    }
    void before(region).then(() => {
      response.writeHead(200, { "content-type": "text/csv" });
      response.end(ordersOf(day, region, orders));
    });
  });
}

/** The same for the same day and region. One row in fifty is of no use, as in life. */
function ordersOf(day: string, region: string, count: number): string {
  let state = [...`${day}${region}`].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0;
  const random = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const lines = ["customer,amount"];
  for (let n = 1; n <= count; n++) {
    const customer = n % 50 === 0 ? "" : `${region}-${random(count / 5)}`;
    lines.push(`${customer},${(1 + random(40_000) / 100).toFixed(2)}`);
  }
  return `${lines.join("\n")}\n`;
}
