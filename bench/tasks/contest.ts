import { join } from "node:path";
import { measure } from "../load/measure.ts";
import { table } from "../pool/table.ts";
import { atLeast, beside, type Findings, perSecond, times, type Verdict } from "../pool/verdict.ts";
import type { Rates } from "./contestant.ts";
import { interruption } from "./interruption.ts";
import type { Options } from "./options.ts";
import { hasRedis, isInPython, isInstalled, python } from "./peers.ts";
import { type Kind, Places } from "./places.ts";

interface Contestant {
  readonly name: string;
  readonly what: string;
  readonly rival: string;
  readonly kind: Kind;
}

const ours: readonly Contestant[] = [
  { name: "sqlite", what: "pawl/tasks on SQLite", rival: "pawl", kind: "sqlite" },
  { name: "sqlite-store", what: "  its store alone", rival: "store", kind: "sqlite" },
  { name: "postgres", what: "pawl/tasks on PostgreSQL", rival: "pawl", kind: "postgres" },
  { name: "postgres-store", what: "  its store alone", rival: "store", kind: "postgres" },
];

const redis = "Redis, appendfsync";
const peers: readonly Contestant[] = [
  { name: "bullmq", what: `BullMQ (${redis} everysec)`, rival: "bullmq", kind: "redis everysec" },
  { name: "bullmq-always", what: `BullMQ (${redis} always)`, rival: "bullmq", kind: "redis always" },
  { name: "pg-boss", what: "pg-boss (PostgreSQL)", rival: "pg-boss", kind: "postgres" },
  {
    name: "graphile-worker",
    what: "graphile-worker (PostgreSQL)",
    rival: "graphile-worker",
    kind: "postgres",
  },
  { name: "celery", what: `Celery (${redis} everysec)`, rival: "celery", kind: "redis everysec" },
];

/** A rival that took so long in one turn has no other: it is slow enough to be distinguished. */
const ONE_TURN_MS = 20_000;

/** In a process that has just begun, so many are enqueued and drained before it counts. */
const WARM = 0.2;

const TARGETS = [
  { name: "postgres", times: 2 },
  { name: "sqlite", times: 5 },
];

/** Who enqueues and drains how many a second, in turn, each turn in new processes and an empty store. */
export async function measureContest(options: Options): Promise<Findings> {
  const { chosen, missing } = choose(options.rivals);
  await using places = new Places(options.directory);
  const rates = new Map<Contestant, Rates[]>(chosen.map((contestant) => [contestant, []]));
  const failures: string[] = [];
  for (let turn = 0; turn < options.turns; turn++) {
    for (const [contestant, before] of rates) {
      if (before.some(({ enqueueMs, drainMs }) => enqueueMs + drainMs > ONE_TURN_MS)) continue;
      try {
        await using place = await places.open(contestant.kind);
        before.push(await alone(contestant, place.address, options.tasks));
      } catch (error) {
        if (interruption.aborted) throw error;
        // The others still have something to show.
        rates.delete(contestant);
        failures.push(
          `${contestant.what.trim()} has failed: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  }
  const results = [...rates].map(([contestant, turns]) => {
    const rate = (pick: (rates: Rates) => number) => (options.tasks / best(turns.map(pick))) * 1000;
    return { contestant, enqueue: rate((turn) => turn.enqueueMs), drain: rate((turn) => turn.drainMs) };
  });
  const rows = results.map(({ contestant, enqueue, drain }) => {
    return [contestant.what, perSecond(enqueue), perSecond(drain)];
  });
  const heading = `${options.tasks.toLocaleString("en-US")} tasks that do nothing, the best of up to ${options.turns} turns`;
  const text = [
    ...missing,
    ...failures,
    table([[heading, "enqueue", "drain"], ...rows]),
    "BullMQ's guide advises appendfsync everysec: a crash of the machine may cost it a second of tasks that it has",
    "confirmed. always, PostgreSQL and ours lose none.",
  ].join("\n");
  return { text, verdicts: verdicts(results) };
}

interface Result {
  readonly contestant: Contestant;
  readonly enqueue: number;
  readonly drain: number;
}

function verdicts(results: readonly Result[]): Verdict[] {
  const others = results.filter(({ contestant }) => peers.includes(contestant));
  if (others.length === 0) return [];
  return (["enqueue", "drain"] as const).flatMap((what) => {
    const first = others.reduce((a, b) => (b[what] > a[what] ? b : a));
    const about = beside(`${what}: the fastest peer, ${first.contestant.what}`, perSecond(first[what]));
    const against = TARGETS.flatMap(({ name, times: least }) => {
      const own = results.find(({ contestant }) => contestant.name === name);
      if (own === undefined) return [];
      return atLeast(`  ${own.contestant.what} beside it`, own[what] / first[what], least, times);
    });
    return [about, ...against];
  });
}

function choose(names: readonly string[]): { chosen: Contestant[]; missing: string[] } {
  const all = [...ours, ...peers];
  const unknown = names.find((name) => !all.some((contestant) => contestant.name === name));
  if (unknown !== undefined) {
    throw new Error(
      `There is no contestant ${unknown}: choose from ${all.map(({ name }) => name).join(", ")}.`,
    );
  }
  const asked = all.filter(({ name }) => names.length === 0 || names.includes(name));
  const missing = asked.flatMap((contestant) => {
    const what = lacks(contestant);
    return what === null ? [] : [{ contestant, line: `${contestant.what.trim()} is left out: ${what}.` }];
  });
  return {
    chosen: asked.filter((contestant) => !missing.some((each) => each.contestant === contestant)),
    missing: missing.map(({ line }) => line),
  };
}

/** What a contestant needs and is not there. */
function lacks({ rival, kind }: Contestant): string | null {
  if (kind.startsWith("redis") && !hasRedis) return "there is no redis-server, which bench/peers.sh installs";
  const isThere =
    rival === "pawl" || rival === "store" || (rival === "celery" ? isInPython("celery") : isInstalled(rival));
  return isThere ? null : "bench/peers.sh installs it";
}

async function alone({ rival }: Contestant, address: string, tasks: number): Promise<Rates> {
  const given = [address, String(tasks), String(Math.ceil(tasks * WARM))];
  const file = (name: string) => join(import.meta.dirname, name);
  const { stdout } =
    rival === "celery"
      ? await measure(python, [file("rivals/celery_rival.py"), ...given])
      : await measure(process.execPath, [file("contestant.ts"), rival, ...given]);
  return JSON.parse(stdout) as Rates;
}

/** The least disturbed turn. What disturbs a machine only ever makes it slower. */
function best(milliseconds: readonly number[]): number {
  return Math.min(...milliseconds);
}
