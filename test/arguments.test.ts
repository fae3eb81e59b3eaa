import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import * as batch from "../src/batch/index.ts";
import * as csv from "../src/connect/csv/index.ts";
import * as objects from "../src/connect/objects/index.ts";
import * as postgres from "../src/connect/postgres/index.ts";
import * as pool from "../src/pool/index.ts";
import * as store from "../src/store/index.ts";
import * as tasks from "../src/tasks/index.ts";
import { assertSaid, ODD } from "./odd.ts";

/** What the command line needs of these floors and no page of the docs names. */
const OF_THE_CLI = new Set([
  ...["RunHandle", "failureReasons", "isCsvChunk"],
  ...["addressName", "primaryKeyOf", "publicUrl", "writesToTable"],
]);

/** They begin a server in whatever folder they are given. */
const STARTING = new Set(["startEmbedded"]);

let folder: string;
let home: string;
before(async () => {
  home = process.cwd();
  folder = await mkdtemp(join(tmpdir(), "pawl-arguments-"));
  process.chdir(folder);
  process.env.PAWL_STORE = join(folder, "default.db");
});
after(async () => {
  await tasks.disconnect();
  process.chdir(home);
  await rm(folder, { recursive: true });
});

const shapes = [[], ["x"], [{}], [() => 1]].flatMap((first) => [
  first,
  ...[undefined, ...ODD].map((odd) => [...first, odd]),
]);
const all = { pool, tasks, store, batch, csv, objects, postgres };
for (const [floor, exported] of Object.entries(all)) {
  test(`what pawl/${floor} exports takes its arguments, or says what is wrong, whatever they are`, async () => {
    for (const [name, made] of Object.entries(exported)) {
      if (typeof made !== "function" || OF_THE_CLI.has(name) || STARTING.has(name)) continue;
      if (made.prototype instanceof Error) continue;
      const isClass = /^class\b/.test(String(made));
      for (const given of shapes) {
        const what = `${name}(${given.map((each) => inspect(each)).join(", ")})`;
        const result = await assertSaid(what, () =>
          isClass ? Reflect.construct(made, given) : Reflect.apply(made, undefined, given),
        );
        await end(result);
      }
    }
  });
}

test("the methods of shared memory take their arguments, or say what is wrong, whatever they are", async () => {
  const fixed: readonly (readonly [string, (odd: never) => unknown])[] = [
    ["a SharedArray without memory", (odd) => new pool.SharedArray("int32", 4, odd)],
    ["exchange", (odd) => new pool.Counter().exchange(odd)],
    ["compareExchange", (odd) => new pool.Counter().compareExchange(0, odd)],
    ["add", (odd) => new pool.Counter().add(odd)],
    ["options of lock", (odd) => new pool.Lock().lock(odd)[Symbol.dispose]()],
    ["options of lockAsync", async (odd) => (await new pool.Lock().lockAsync(odd))[Symbol.dispose]()],
    ["get", (odd) => pool.SharedArray.zeros("int32", 4).get(odd)],
    ["subarray", (odd) => pool.SharedArray.zeros("int32", 4).subarray(0, odd)],
    ["split", (odd) => pool.SharedArray.zeros("int32", 4).split(odd)],
  ];
  for (const odd of ODD) {
    for (const [what, work] of fixed) await assertSaid(`${what} ${inspect(odd)}`, () => work(odd as never));
  }
});

/** Ends what was begun, such as a pool or a worker. */
async function end(result: unknown): Promise<void> {
  const made = Object(result) as Partial<AsyncDisposable> & { stop?: unknown };
  if (typeof made.stop === "function") await made.stop({ drain: 0 });
  else if (typeof made[Symbol.asyncDispose] === "function") await made[Symbol.asyncDispose]?.();
}

/** Functions that take options, each given one that is not there. */
const url = "postgres://127.0.0.1:1/none";
const ends = { source: csv.csv("x.csv"), sink: postgres.postgres({ url, table: "t" }) };
const givenUnknown: Readonly<Record<string, (odd: object) => unknown>> = {
  csv: (odd) => csv.csv("x.csv", odd),
  postgres: (odd) => postgres.postgres({ url, table: "t", ...odd }),
  insert: (odd) => postgres.insert({ url, table: "t", ...odd }),
  table: (odd) => postgres.table({ url, table: "t", ...odd }),
  update: (odd) => postgres.update({ url, table: "t", ...odd }),
  del: (odd) => postgres.del({ url, table: "t", ...odd }),
  objects: (odd) => objects.objects("photos", odd),
  copy: (odd) => objects.copy({ from: "photos", to: "backup", ...odd }),
  defineJob: (odd) => batch.defineJob({ name: "people", ...ends, ...odd }),
  chunkSize: (odd) => batch.defineJob({ name: "people", ...ends, chunkSize: odd }),
  run: (odd) => batch.run({ name: "people", ...ends }, odd),
  task: (odd) => tasks.task({ name: `odd-${crypto.randomUUID()}`, ...odd }, () => 1),
  backoff: (odd) => tasks.task({ name: `odd-${crypto.randomUUID()}`, backoff: odd }, () => 1),
  startWorker: (odd) => tasks.startWorker(odd),
  configureObjects: (odd) => pool.configureObjects(odd),
  Pool: (odd) => new pool.Pool(odd),
  each: (odd) => pool.each([1], () => 1, odd),
};
for (const [name, call] of Object.entries(givenUnknown)) {
  test(`an option that ${name} does not know is refused, not dropped`, async () => {
    await assert.rejects(async () => await call({ wrongName: 1 }), {
      code: /^(argument|pool|task)\.option$/,
      message: /There is no option "wrongName"/,
    });
  });
}
