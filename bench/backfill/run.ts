import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { machine } from "../load/machine.ts";
import { withServer } from "../load/scratch.ts";
import type { Server } from "../load/server.ts";
import { backfill, type Case, type Changed, cases, oneStatement, statements } from "./cases.ts";
import { type Latency, latencyDuring } from "./latency.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "1000000,10000000" },
    "django-rows": { type: "string", default: "50000" },
    only: { type: "string" },
    repeat: { type: "string", default: "1" },
    // Transactions a second of the site that is up meanwhile.
    rate: { type: "string", default: "100" },
    dir: { type: "string", default: tmpdir() },
  },
});
const sizes = values.rows.split(",").map((text) => Number(text.replaceAll("_", "")));
const only = values.only?.split(",") ?? [...cases.map(({ name }) => name), "latency"];
const atMostOfStatement = 1.2;
const atLeastOfDjango = 15;
const mostBytes = 128 * 2 ** 20;

await withServer(values.dir, async (server, directory) => {
  console.log(machine());
  for (const rows of sizes) {
    const database = `tickets_${rows}`;
    const renew = async () => {
      await server.prepared(database, statements(rows));
      await server.settle();
    };
    console.log(`${rows.toLocaleString("en-US")} rows`);
    const results = new Map<Case, Changed[]>();
    for (let round = 1; round <= Number(values.repeat); round++) {
      for (const each of cases.filter(({ name }) => only.includes(name))) {
        await renew();
        const count = each.name === "django" ? Math.min(rows, Number(values["django-rows"])) : rows;
        const before = await firstToken(server);
        const changed = await each.run({ server, directory }, count);
        assert.notEqual(await firstToken(server), before, `${each.name} changed nothing`);
        results.set(each, [...(results.get(each) ?? []), changed]);
      }
    }
    report(results);
    if (only.includes("latency")) {
      for (const [what, work] of works(server, directory, rows)) {
        await renew();
        const rate = Number(values.rate);
        const latency = await latencyDuring({ url: server.url, rows, rate, directory }, work);
        console.log(`  site meanwhile, ${what}: ${describe(latency)}`);
      }
    }
    await server.forget(database);
  }
});

/** What the site has to live with, one after the other. */
function works(server: Server, directory: string, rows: number): readonly [string, () => Promise<unknown>][] {
  const place = { server, directory };
  return [
    ["nothing else", () => sleep(10_000)],
    ["one UPDATE statement", () => oneStatement(server.url)],
    ["pawl backfill --set", () => backfill("--set", "token=gen_random_uuid()")(place, rows)],
    [
      "the same, --commit-time 20ms --concurrency 1",
      () =>
        backfill(
          "--set",
          "token=gen_random_uuid()",
          "--commit-time",
          "20ms",
          "--concurrency",
          "1",
        )(place, rows),
    ],
  ];
}

async function firstToken(server: Server): Promise<string> {
  return (await server.query("SELECT token FROM tickets WHERE id = 1")).rows[0].token;
}

function report(results: ReadonlyMap<Case, readonly Changed[]>): void {
  const rate = (name: string) => {
    const found = [...results].find(([each]) => each.name === name)?.[1];
    return found === undefined ? null : median(found.map(({ rows, seconds }) => rows / seconds));
  };
  const [statement, django] = [rate("statement"), rate("django")];
  for (const [{ name, what }, rounds] of results) {
    const own = rate(name) ?? Number.NaN;
    const seconds = median(rounds.map((each) => each.seconds));
    const peak = Math.max(...rounds.map(({ peakBytes }) => peakBytes));
    const parts = [
      `${what}: ${seconds.toFixed(1)} s`,
      `${Math.round(own).toLocaleString("en-US")} rows/s`,
      `peak ${Math.round(peak / 2 ** 20)} MiB${name === "set" || name === "step" ? verdict(peak <= mostBytes) : ""}`,
    ];
    if ((name === "set" || name === "step") && statement !== null) {
      const ratio = statement / own;
      parts.push(`${ratio.toFixed(2)} × the statement's time${verdict(ratio <= atMostOfStatement)}`);
    }
    if ((name === "set" || name === "step") && django !== null) {
      const ratio = own / django;
      parts.push(`${ratio.toFixed(1)} × Django's rate${verdict(ratio >= atLeastOfDjango)}`);
    }
    console.log(`  ${parts.join(", ")}`);
  }
}

function verdict(met: boolean): string {
  return met ? " (met)" : " (MISSED)";
}

function describe({ transactions, p50, p99, worst }: Latency): string {
  const ms = (value: number) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  return `p50 ${ms(p50)}, p99 ${ms(p99)}, worst ${ms(worst)} of ${transactions.toLocaleString("en-US")} transactions`;
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
