import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Measured, measure } from "../load/measure.ts";
import type { Server } from "../load/server.ts";

export interface Place {
  readonly server: Server;
  readonly directory: string;
}

export interface Case {
  readonly name: string;
  /** For people. */
  readonly what: string;
  /** Changes about this many rows of `tickets`, all where it can, and returns how it went. */
  run(place: Place, rows: number): Promise<Changed>;
}

export interface Changed extends Measured {
  readonly rows: number;
}

const pawl = join(import.meta.dirname, "..", "..", "bin", "pawl.cjs");
/** What a row of the ticket looks like: a token that must be unique, and what else a ticket has. */
export const statements = (rows: number): readonly string[] => [
  `CREATE TABLE tickets (id bigint PRIMARY KEY, token uuid NOT NULL, title text NOT NULL, price numeric(10,2), n int NOT NULL DEFAULT 0, created_at timestamptz NOT NULL DEFAULT now())`,
  `INSERT INTO tickets (id, token, title, price) SELECT g, gen_random_uuid(), 'Ticket number ' || g, g % 10000 / 100.0 FROM generate_series(1, ${rows}) g`,
  "CREATE UNIQUE INDEX ON tickets (token)",
  "VACUUM (FREEZE, ANALYZE) tickets",
];

export const cases: readonly Case[] = [
  {
    name: "statement",
    what: "one UPDATE statement",
    async run({ server }, rows) {
      return { ...(await oneStatement(server.url)), rows };
    },
  },
  { name: "set", what: "pawl backfill --set", run: backfill("--set", "token=gen_random_uuid()") },
  {
    name: "step",
    what: "pawl backfill --transform (TypeScript)",
    run: backfill(
      "--transform",
      join(import.meta.dirname, "step.ts"),
      "--columns",
      "id",
      "--memory",
      "128MB",
    ),
  },
  {
    name: "django",
    what: "Django, bulk_update of 50",
    async run({ server, directory }, rows) {
      const python = join(import.meta.dirname, "..", ".peers", "bin", "python");
      if (!existsSync(python)) throw new Error("Django is not installed: run bench/peers.sh");
      const script = join(import.meta.dirname, "django_backfill.py");
      const measured = await measure(python, [script, server.url, String(rows), join(directory, "last-key")]);
      return { ...measured, rows: Number(measured.stdout) };
    },
  },
];

export function oneStatement(url: string): Promise<Measured> {
  return measure("psql", [
    url,
    "-X",
    "-q",
    "-v",
    "ON_ERROR_STOP=1",
    "-c",
    "UPDATE tickets SET token = gen_random_uuid()",
  ]);
}

/** Runs `pawl backfill` as a user does, with a store of its own, and holds it to its own counts. */
export function backfill(...flags: readonly string[]): Case["run"] {
  return async ({ server, directory }, rows) => {
    const store = mkdtempSync(join(directory, "store-"));
    try {
      const args = [pawl, "backfill", "--url", server.url, "--table", "tickets", "--json", ...flags];
      const measured = await measure(process.execPath, args, { PAWL_STORE: join(store, "pawl.db") });
      const summary = JSON.parse(measured.stdout);
      if (summary.state !== "succeeded" || summary.written !== rows)
        throw new Error(`pawl backfill of ${rows} rows came to ${measured.stdout}`);
      return { ...measured, rows };
    } finally {
      rmSync(store, { recursive: true, force: true });
    }
  };
}
