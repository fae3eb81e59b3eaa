import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How long transactions of others took, in milliseconds, from the moment they were due. */
export interface Latency {
  readonly transactions: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

const clients = 4;
const script = `\\set id random(1, :rows)
BEGIN;
SELECT token FROM tickets WHERE id = :id;
UPDATE tickets SET n = n + 1 WHERE id = :id;
COMMIT;
`;

/** Keeps a site's load on the table, by pgbench at a fixed rate, and tells what it saw while `work` ran. */
export async function latencyDuring(
  { url, rows, rate, directory }: { url: string; rows: number; rate: number; directory: string },
  work: () => Promise<unknown>,
): Promise<Latency> {
  const folder = mkdtempSync(join(directory, "pgbench-"));
  writeFileSync(join(folder, "site.sql"), script);
  const args = ["-n", "-f", "site.sql", "-c", String(clients), "-j", "1", "-R", String(rate), "-T", "100000"];
  const child = spawn("pgbench", [...args, "-D", `rows=${rows}`, "-l", "--log-prefix=log", url], {
    cwd: folder,
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  try {
    await sleep(2000);
    const from = Date.now();
    await work();
    const to = Date.now();
    // Those that were due meanwhile and still wait belong to it.
    await sleep(2000);
    child.kill("SIGINT");
    await ended;
    return summarise(readLog(folder, from, to));
  } finally {
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds of the transactions that were due between two instants. */
function readLog(folder: string, from: number, to: number): number[] {
  const found: number[] = [];
  for (const name of readdirSync(folder).filter((each) => each.startsWith("log."))) {
    for (const line of readFileSync(join(folder, name), "utf8").split("\n")) {
      // client, number, microseconds, script, second and microsecond of its end, microseconds it began late
      const [, , took, , second, micro] = line.split(" ").map(Number);
      if (took === undefined || second === undefined || micro === undefined || Number.isNaN(took)) continue;
      const due = second * 1000 + (micro - took) / 1000;
      if (due >= from && due <= to) found.push(took / 1000);
    }
  }
  return found;
}

function summarise(times: readonly number[]): Latency {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { transactions: sorted.length, p50: at(0.5), p99: at(0.99), worst: sorted.at(-1) ?? Number.NaN };
}
