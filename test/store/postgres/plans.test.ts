import assert from "node:assert/strict";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Claim, Store, TaskResult } from "../../../src/store/index.ts";
import { openStore } from "../../../src/store/index.ts";
import { careless, TestClient, TestServer } from "../../connect/postgres/server.ts";
import { live } from "../conformance/live.ts";
import { newTask, settlement } from "../conformance/tasks.ts";

/** The server writes the plan of each statement that it runs, with what each part of it came upon. */
const EXPLAINING = {
  session_preload_libraries: "auto_explain",
  "auto_explain.log_min_duration": "0",
  "auto_explain.log_analyze": "on",
  "auto_explain.log_timing": "off",
  "auto_explain.log_format": "json",
  "auto_explain.log_nested_statements": "on",
};

/** The indexes by which the statements of a worker find rows in the tables that grow. */
const INDEXES: Readonly<Record<string, ReadonlySet<string>>> = {
  task: new Set(["task_seq", "task_id", "task_expiry", "task_child", "task_unique", "task_flow"]),
  backlog: new Set(["backlog_plain", "backlog_bucket"]),
  attempt: new Set(["attempt_pkey"]),
  retained: new Set(["retained_prune", "retained_pkey"]),
  task_group: new Set(["task_group_pkey", "task_group_callback_key"]),
};

/** Rows that one part of a plan may look at and leave alone: some that others have just locked, claimed or settled. */
const MOST_LEFT_ALONE = 50;

interface Node {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Index Cond"?: string;
  readonly "Rows Removed by Filter"?: number;
  readonly "Actual Loops": number;
  readonly "Actual Rows": number;
  readonly Plans?: readonly Node[];
}

interface Explained {
  readonly "Query Text": string;
  readonly Plan: Node;
}

const MANY = 4_000;

let server: TestServer;
let url: string;

before(async () => {
  server = await TestServer.start({ ...careless, ...EXPLAINING });
  url = await server.createDatabase();
});
after(() => server.stop());

test("no statement of a worker walks a table that has grown since it was planned, whatever it grew by", async () => {
  await using store = await openStore(url);
  // With all tables nearly empty, often enough that the server keeps the plans.
  for (let round = 0; round < 8; round++) await live(store, `small${round}`);
  const phases: Readonly<Record<string, (store: Store) => Promise<unknown>>> = {
    delayed: (crowd) => enqueue(crowd, "delayed", { delayMs: 86_400_000 }),
    "of a bucket": (crowd) => enqueue(crowd, "laned", { bucket: "slow", delayMs: 86_400_000 }),
    succeeded: (crowd) => fill(crowd, "good", { state: "succeeded", value: 1 }),
    dead: (crowd) => fill(crowd, "bad", { state: "dead", error: "no" }),
    cancelled: async (crowd) => {
      await enqueue(crowd, "off", { flow: "off" });
      await crowd.requestCancel({ flow: "off" });
    },
    "leased by another": (crowd) => fill(crowd, "held", null),
    "settled when statistics were taken": async (crowd) => {
      await using client = await TestClient.connect(url);
      await client.query("ANALYZE");
      await fill(crowd, "later", { state: "succeeded" });
    },
  };
  for (const [phase, grow] of Object.entries(phases)) {
    {
      await using crowd = await openStore(url);
      await grow(crowd);
    }
    const from = statSync(log()).size;
    for (let round = 0; round < 2; round++) await live(store, `${phase} ${round}`);
    const plans = await explained(from);
    const claims = plans.filter(({ "Query Text": sql }) => sql.includes("INSERT INTO pawl.lease"));
    assert.ok(plans.length > 40 && claims.length > 2, `${plans.length} plans`);
    const faults = plans.flatMap(({ "Query Text": sql, Plan }) =>
      [...nodesOf(Plan)].flatMap((node) => {
        const fault = faultOf(node);
        return fault === null ? [] : [`${phase}: ${fault} in ${sql.replaceAll(/\s+/g, " ").slice(0, 300)}`];
      }),
    );
    assert.deepEqual(faults, []);
    for (const { Plan } of claims) {
      const used = [...nodesOf(Plan)].flatMap(({ "Index Name": index = [] }) => index);
      const ofTasks = used.filter((index) => index.startsWith("task"));
      assert.ok(ofTasks.length > 0 && ofTasks.every((index) => index === "task_seq"), used.join());
    }
  }
});

async function enqueue(store: Store, name: string, more: Parameters<typeof newTask>[1]): Promise<void> {
  for (let start = 0; start < MANY; start += 2_000) {
    await store.enqueue(Array.from({ length: 2_000 }, (_, n) => newTask(`${name}${start + n}`, more)));
  }
}

/** Tasks that all come to one end; null leaves them leased. */
async function fill(store: Store, name: string, result: TaskResult | null): Promise<void> {
  await enqueue(store, name, { queue: name, retentionMs: 86_400_000 });
  for (;;) {
    const claims: Claim[] = await store.claim({
      queues: [name],
      n: 2_000,
      leaseMs: 600_000,
      worker: "crowd",
    });
    if (claims.length === 0) return;
    if (result !== null) await store.settle(claims.map((claim) => settlement(claim, result)));
  }
}

function faultOf(node: Node): string | null {
  const table = node["Relation Name"] ?? "";
  const index = node["Index Name"];
  const known = INDEXES[table];
  if (known === undefined) return null;
  if (node["Node Type"] === "ModifyTable" || node["Node Type"] === "Tid Scan") return null;
  const left = (node["Rows Removed by Filter"] ?? 0) * node["Actual Loops"];
  // What is planned each time may well read a table of a page or two.
  const isSmall = table !== "task" && table !== "line" && left + node["Actual Rows"] <= MOST_LEFT_ALONE;
  if (index === undefined) return isSmall ? null : `a ${node["Node Type"]} of ${table}`;
  if (!known.has(index)) return `the index ${index} of ${table}`;
  // The first entry of one that holds only what may expire.
  if (node["Index Cond"] === undefined && index !== "task_expiry") return `all of the index ${index}`;
  return left > MOST_LEFT_ALONE ? `${left} rows of ${table} looked at for nothing by ${index}` : null;
}

function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const part of node.Plans ?? []) yield* nodesOf(part);
}

function log(): string {
  return join(server.home, "log");
}

/** What the server has explained since its log had so many bytes. */
async function explained(from: number): Promise<Explained[]> {
  const { size } = statSync(log());
  const bytes = Buffer.alloc(size - from);
  const file = openSync(log(), "r");
  readSync(file, bytes, 0, bytes.length, from);
  closeSync(file);
  // Each stands on lines of its own, which begin with a tab.
  const texts = bytes
    .toString("utf8")
    .split(/duration: [\d.]+ ms {2}plan:\n/)
    .slice(1);
  return texts
    .map((text) => JSON.parse(text.slice(0, /\n(?!\t)/.exec(text)?.index ?? text.length)) as Explained)
    .filter(({ "Query Text": sql }) => sql.includes("pawl."));
}
