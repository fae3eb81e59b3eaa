import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { defineJob, run } from "../../../../../src/batch/index.ts";
import { openItems } from "../../../../../src/batch/internal.ts";
import { type CsvOptions, type CsvRow, csv } from "../../../../../src/connect/csv/index.ts";
import { postgres } from "../../../../../src/connect/postgres/index.ts";
import { openStore } from "../../../../../src/store/index.ts";
import { Folder } from "../../../csv/fixture.ts";
import { useDatabase } from "../../scene.ts";

const db = useDatabase();
let folder: Folder;

before(async () => {
  folder = await Folder.make();
});
after(() => folder[Symbol.asyncDispose]());

const COUNT = 3000;
const day = (id: number) => new Date(Date.UTC(2020, 0, 1 + (id % 900)));
const amount = (id: number) => (id * 7919.37).toFixed(2);
/** A text that looks like a number of the other country, which must stay as it is. */
const note = (id: number) => (id % 5 === 0 ? null : id % 3 === 0 ? "1.234,50" : `say "${id}", 5" wide`);

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/** As COPY reads it. */
function plain(): string {
  const line = (id: number) =>
    `${id},${day(id).toISOString().slice(0, 10)},${amount(id)},${note(id) === null ? "" : quoted(note(id) as string)}\n`;
  return `id,paid,amount,note\n${Array.from({ length: COUNT }, (_, id) => line(id)).join("")}`;
}

/** The same rows as another country, and a careless program, writes them. */
function foreign(): string {
  const german = new Intl.NumberFormat("de-DE", { minimumFractionDigits: 2 });
  const line = (id: number) => {
    const date = day(id);
    const paid = `${date.getUTCDate()}.${date.getUTCMonth() + 1}.${date.getUTCFullYear()}`;
    return `${note(id) ?? "N/A"};${id};${german.format(Number(amount(id)))};${paid}${id % 7 === 0 ? ";rest" : ""}\r\n`;
  };
  const lines = Array.from({ length: COUNT }, (_, id) => (id % 100 === 0 ? `# "${id}\r\n` : "") + line(id));
  return `report\r\nsep=;\r\nnote;id;amount;paid\r\n${lines.join("")}`;
}

const FOREIGN: CsvOptions = {
  skipLines: 1,
  comment: "#",
  looseQuotes: true,
  nullValues: "N/A",
  dateOrder: "dmy",
  decimal: ",",
  thousands: ".",
  ignoreExtra: true,
};

async function load(
  table: string,
  content: string | Buffer,
  options: CsvOptions,
  transform?: (row: CsvRow) => CsvRow,
  columns = "id int PRIMARY KEY, paid date, amount numeric(12,2), note text",
  selected = "id, paid::text, amount::text, note",
): Promise<{ rows: unknown[]; quarantined: string[]; note: string }> {
  await db.client.query(`CREATE TABLE ${table} (${columns})`);
  const path = await folder.file(content, `${table}.csv`);
  const store = await openStore(join(folder.path, `${table}.db`));
  try {
    const job = defineJob<CsvRow, Record<string, unknown>>({
      name: table,
      source: csv(path, options),
      sink: postgres({ url: db.url, table }),
      shards: 2,
      ...(transform ? { transform } : {}),
    });
    const summary = await run(job, { store }).summary();
    const quarantined: string[] = [];
    for await (const { at, reason } of openItems(store, summary.run)) quarantined.push(`${at}: ${reason}`);
    const rows = await db.client.query(`SELECT ${selected} FROM ${table} ORDER BY id`);
    return { rows, quarantined, note: summary.note ?? "" };
  } finally {
    await store.close();
  }
}

test("a table is the same whether COPY or a parser reads the file, packed or not, with a transform or without", async () => {
  const expected = Array.from({ length: COUNT }, (_, id) => ({
    id,
    paid: day(id).toISOString().slice(0, 10),
    amount: amount(id),
    note: note(id),
  }));
  const same = (row: CsvRow) => ({ ...row });
  for (const [table, content, options, transform] of [
    ["copied", plain(), {}, undefined],
    ["parsed", foreign(), FOREIGN, undefined],
    ["copied_by_transform", plain(), {}, same],
    ["parsed_by_transform", gzipSync(foreign()), FOREIGN, same],
  ] as const) {
    const { rows, quarantined } = await load(table, content, options, transform);
    assert.deepEqual(quarantined, [], table);
    assert.deepEqual(rows, expected, table);
  }
});

test("rows that the options cannot read are quarantined with their lines, and the others arrive", async () => {
  const text = "id;paid;amount;note\n1;31.02.2026;1;a\n2;1.2.2026;1.5;b\n3;1.2.2026;1,5;c\n4;x\n5;never;;\n";
  const options: CsvOptions = { dateOrder: "dmy", decimal: ",", nullValuesFor: { paid: "never" } };
  const { rows, quarantined } = await load("refused", text, options);
  assert.deepEqual(rows, [
    { id: 3, paid: "2026-02-01", amount: "1.50", note: "c" },
    { id: 5, paid: null, amount: null, note: null },
  ]);
  assert.deepEqual(quarantined, [
    'refused.csv line 2: column "paid": "31.02.2026" is not a date in the order dmy',
    'refused.csv line 3: column "amount": "1.5" is not a number with the decimal ","',
    "refused.csv line 5: row has 2 fields, the header has 4",
  ]);
});

test("no text of a date or number reaches the server's own guess, whatever the type of its column", async () => {
  await db.client.query(
    "CREATE TYPE stay AS (room int, since date); CREATE DOMAIN days AS date[]; CREATE DOMAIN paid AS date",
  );
  const german: CsvOptions = { dateOrder: "dmy", decimal: ",", thousands: "." };
  const cases = [
    ["date", "1 2 2026", "2026.032", "2026-02-01"],
    ["paid", "010226", "1_2_12026", "2026-02-01"],
    ["timestamp", "010226T1345", "13:45 1/2/2026", "2026-02-01 13:45:00"],
    ["numeric", "1.234,5", "0.123", "1234.5"],
    ["float8", "-12,5", "1.234e5", "-12.5"],
    ["money", "3", "3,4", "$3.00"],
    ["money[]", "{3}", "{3.40}", "{$3.00}"],
    ["date[]", "{2026-02-01}", "{01/02/2026}", "{2026-02-01}"],
    ["days", "{2026-02-01}", "{010226}", "{2026-02-01}"],
    ["daterange", "[2026-02-01,2026-02-02)", "[01/02/2026,03/04/2026)", "[2026-02-01,2026-02-02)"],
    ["datemultirange", "{[2026-02-01,)}", "{[01/02/2026,)}", "{[2026-02-01,)}"],
    ["stay", "(7,2026-02-01)", "(7,01/02/2026)", "(7,2026-02-01)"],
    ["numeric[]", "{3}", "{3,4}", "{3}"],
    ["interval", "2 hours", "1,5 hours", "02:00:00"],
  ] as const;
  const names = cases.map((_, index) => `v${index}`);
  const columns = `id int PRIMARY KEY, ${cases.map(([type], index) => `v${index} ${type}`).join(", ")}`;
  const selected = names.map((name) => `${name}::text`).join(", ");
  /** The wrong values of some cases, each in a row of its own from that one on. */
  const file = (wrong: readonly number[], from: number) => {
    const rows = Array.from({ length: from + wrong.length }, (_, id) =>
      cases.map(([, right, other], index) => quoted(wrong[id - from] === index ? other : right)),
    );
    return `id;${names.join(";")}\n${rows.map((row, id) => `${id};${row.join(";")}\n`).join("")}`;
  };
  const all = [...cases.keys()];
  const { rows, quarantined } = await load("guesses", file(all, 1001), german, undefined, columns, selected);
  assert.equal(rows.length, 1001);
  assert.deepEqual(
    Object.values(rows.at(-1) as object),
    cases.map(([, , , read]) => read),
  );
  assert.equal(quarantined.length, cases.length);
  for (const [index, reason] of quarantined.entries())
    assert.match(
      reason,
      new RegExp(`^guesses.csv line ${1003 + index}: column "v${index}": .* is not (?:a|written) `),
    );
  for (const index of [5, 7, 12]) {
    const refused = await load(`guess${index}`, file([index], 3), german, undefined, columns, selected);
    assert.match(
      refused.note,
      new RegExp(`guess${index}.csv, column "v${index}": .* cannot be followed in it: write it in that way`),
    );
    assert.deepEqual(refused.rows, []);
  }
});
