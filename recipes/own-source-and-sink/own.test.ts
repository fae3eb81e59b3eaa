import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, it } from "node:test";
import { fileURLToPath } from "node:url";
import { runSql } from "pawl/connect/postgres";
import { TestServer } from "../../test/connect/postgres/server.ts";

const pawl = join(dirname(fileURLToPath(import.meta.resolve("pawl/package.json"))), "bin", "pawl.cjs");
const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

const ORDERS = 4_345;
/** Each so many requests, the servers are in trouble. */
const TROUBLE = 7;

let folder: string;
let server: TestServer;
let url: string;
let shop: Server;
let search: Server;
let pages = 0;
/** Called with each page that is asked for. */
let onPage = (_page: number): void => {};
const documents = new Map<number, { customer: string; euros: string }>();

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "pawl-recipe-"));
  server = await TestServer.shared();
  ({ url } = server);
  await runSql(
    url,
    "CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, euros numeric NOT NULL)",
  );
  shop = await listen(giveOrders);
  search = await listen(takeDocument);
});

after(async () => {
  for (const listening of [shop, search]) {
    listening.closeAllConnections();
    listening.close();
  }
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

function at(server: Server, path: string): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
}

/** The shop: order 100 has a price that cannot be. */
function giveOrders({ url: asked = "" }: IncomingMessage, response: ServerResponse): void {
  onPage(++pages);
  if (pages % TROUBLE === 0) {
    if (pages % 2 === 0) response.destroy();
    else response.writeHead(503, { "retry-after": "0" }).end();
    return;
  }
  const { searchParams } = new URL(asked, "http://shop");
  const after = Number(searchParams.get("after"));
  const last = Math.min(ORDERS, after + Number(searchParams.get("limit")));
  const orders = Array.from({ length: last - after }, (_, n) => {
    const id = after + n + 1;
    return { id, customer: `Customer ${id % 97}`, cents: id === 100 ? -1 : id };
  });
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ orders, next: last < ORDERS ? last : null }));
}

let puts = 0;
/** The index takes every document but that of order 200. */
async function takeDocument(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const id = Number(request.url?.split("/").at(-1));
  const body = Buffer.concat(await request.toArray());
  if (++puts % 1000 === 0) response.writeHead(503).end();
  else if (id === 200) response.writeHead(422).end("no such customer");
  else {
    documents.set(id, JSON.parse(body.toString("utf8")));
    response.end();
  }
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [pawl, ...args], {
    cwd: folder,
    env: { ...process.env, DATABASE_URL: url, PAWL_STORE: join(folder, "store.db"), PAWL_LEASE_MS: "3000" },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function summaryOf(run: ChildProcess): Promise<Record<string, unknown>> {
  const output = (await run.stdout?.toArray()) as Buffer[];
  return JSON.parse(Buffer.concat(output).toString("utf8"));
}

it("brings every order into the table once, over a kill and a shop in trouble", async () => {
  const args = ["run", here("import-orders.ts"), "--param", `api=${at(shop, "/orders")}`, "--json"];
  const victim = start(...args);
  const gone = once(victim, "exit");
  onPage = (page) => {
    if (page === 8) victim.kill("SIGKILL");
  };
  assert.deepEqual(await gone, [null, "SIGKILL"]);
  const { state, read, written, quarantined } = await summaryOf(start(...args));
  assert.deepEqual([state, read, written, quarantined], ["succeeded", ORDERS, ORDERS - 1, 1]);
  const { rows } = await runSql(url, "SELECT count(*)::int AS n, sum(euros)::text AS euros FROM orders");
  const cents = (ORDERS * (ORDERS + 1)) / 2 - 100;
  assert.deepEqual(rows, [{ n: ORDERS - 1, euros: (cents / 100).toFixed(2) }]);
  assert.ok(pages > ORDERS / 500, String(pages));
});

it("brings every row of the table into the index", async () => {
  const run = start("run", here("index-orders.ts"), "--param", `index=${at(search, "/documents")}`, "--json");
  const { state, read, written, quarantined, run: id } = await summaryOf(run);
  assert.deepEqual([state, read, written, quarantined], ["succeeded", ORDERS - 1, ORDERS - 2, 1]);
  assert.equal(documents.size, ORDERS - 2);
  assert.deepEqual(documents.get(4321), { id: 4321, customer: "Customer 53", euros: "43.21" });
  const failures = start("quarantine", String(id), "--json");
  const [told] = Buffer.concat((await failures.stdout?.toArray()) as Buffer[])
    .toString("utf8")
    .split("\n");
  assert.match(told ?? "", /the index answers 422: no such customer/);
});
