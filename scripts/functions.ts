/**
 * Writes docs/functions.md, the reference of the functions of expressions, from the tables of src/data/expr/functions.ts; with `--check`
 * it only says whether it is up to date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { castRule } from "../src/data/expr/casts.ts";
import {
  AGGREGATES,
  type AggregateDescription,
  FUNCTIONS,
  type FunctionDescription,
  type FunctionGroup,
  RANKINGS,
} from "../src/data/expr/functions.ts";
import {
  bool,
  bytes,
  type ColumnType,
  date,
  decimal,
  float64,
  int64,
  json,
  list,
  struct,
  text,
  time,
  timestamp,
  timestamptz,
  uuid,
} from "../src/data/schema/column-type.ts";

const file = join(import.meta.dirname, "..", "docs", "functions.md");

const head = `# Functions of expressions

What \`c.amount.round(2)\` and its kin mean, the same on every engine: where engines differ, this page decides, and each engine's
dialect makes it so. Examples are run by the tests; \`lit(value, type)\` makes an expression of a value.

- **Nulls.** A function gives null where one of its arguments is null, unless it says otherwise. In a condition, null is unknown:
  \`filter\` leaves such rows out. In an order nulls come last, whatever the direction.
- **Numbers.** Arithmetic of whole numbers gives int64, and a result that does not fit is an error. Decimals are exact: a sum has one digit more, a
  product the digits of both, up to 38; a literal beside a decimal is a decimal with the digits that you wrote. As soon as one side is a
  floating-point number, the result is a float64, with NaN and Infinity as in JavaScript, but NaN equals NaN and is larger than all numbers.
  A number of JavaScript on its own is a float64, a bigint an int64; beside a column it is what the column is.
- **Texts** count code points, not UTF-16 units. Regular expressions are JavaScript's, as with the flag \`v\`: a \`RegExp\` or its source. \`\\d\`, \`\\w\` and \`\\b\`
  know ASCII only. What not every engine has is refused: look-ahead, look-behind, back references, the flag \`y\`.
- **Times.** A timestamp has no zone, a timestamptz is a moment; its parts are those in UTC. Weeks are ISO weeks, days of the week 1 to 7.

This page is generated from the sources by \`npm run docs:functions\`.
`;

const TITLES: Readonly<Record<FunctionGroup, string>> = {
  comparison: "Comparison",
  logic: "Logic",
  null: "Nulls",
  value: "Values",
  number: "Numbers",
  text: "Texts",
  time: "Days and times",
  list: "Lists",
  "struct and json": "Structs and JSON",
};

const NULLS: Readonly<Record<NonNullable<FunctionDescription["nullability"]>, string>> = {
  any: "only where an argument is",
  never: "never",
  always: "as it says",
  all: "where all are",
  divisor: "where an argument is, or the divisor is zero",
};

const EMPTY: Readonly<Record<NonNullable<AggregateDescription["nullability"]>, string>> = {
  empty: "where there is no value",
  never: "never",
  always: "as it says",
};

function cell(given: string): string {
  return given.replaceAll("|", "\\|");
}

function code(given: string): string {
  // A bar would end the cell.
  return `\`${given.replaceAll("|", "\\|")}\``;
}

function functionRows(group: FunctionGroup): readonly string[] {
  const all: readonly FunctionDescription[] = Object.values(FUNCTIONS);
  return all
    .filter((each) => each.group === group)
    .map(({ signature, meaning, example: [made, gives], engines = "", nullability = "any" }) =>
      row([
        code(signature),
        cell(meaning),
        NULLS[nullability],
        `${code(made)}: ${code(JSON.stringify(gives))}`,
        cell(engines),
      ]),
    );
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function table(names: readonly string[], rows: readonly string[]): string {
  return [row(names), row(names.map(() => "---")), ...rows].join("\n");
}

function aggregateRows(all: readonly AggregateDescription[]): readonly string[] {
  return all.map(({ signature, meaning, engines = "", nullability = "empty" }) =>
    row([code(signature), cell(meaning), EMPTY[nullability], cell(engines)]),
  );
}

const KINDS: readonly (readonly [name: string, type: ColumnType])[] = [
  ["bool", bool()],
  ["int", int64()],
  ["float", float64()],
  ["decimal", decimal(18, 4)],
  ["text", text()],
  ["bytes", bytes()],
  ["date", date()],
  ["time", time()],
  ["timestamp", timestamp()],
  ["timestamptz", timestamptz()],
  ["uuid", uuid()],
  ["json", json()],
  ["list", list(text())],
  ["struct", struct({ a: text() })],
];

function castRows(): readonly string[] {
  return KINDS.map(([name, from]) =>
    row([
      `**${name}**`,
      ...KINDS.map(([, to]) => {
        const rule = castRule(from, to);
        return rule === "free" ? "yes" : rule === "checked" ? "checked" : "";
      }),
    ]),
  );
}

function page(): string {
  const parts = (Object.keys(TITLES) as FunctionGroup[]).map(
    (group) =>
      `## ${TITLES[group]}\n\n${table(["function", "meaning", "null", "example", "engines"], functionRows(group))}\n`,
  );
  return [
    head,
    ...parts,
    `## Aggregates\n\nOne value of the rows of a group; nulls do not count, unless it is said. \`.where(condition)\` takes only some of the rows, and
\`.over({ by, order, rows, range })\` gives a value for each row, of the rows around it. Expressions over aggregates are aggregates: \`c.a.sum().div(c.b.sum())\`.\n`,
    `${table(["function", "meaning", "null", "engines"], aggregateRows(Object.values(AGGREGATES)))}\n`,
    `## Functions of a row's position\n\nWith \`over({ by, order })\` only.\n`,
    `${table(["function", "meaning", "null", "engines"], aggregateRows(Object.values(RANKINGS)))}\n`,
    `## Choices, casts and SQL

- \`when(condition, value).when(…).otherwise(value)\`: the value of the first condition that is true. All values are of the kind of the first.
- \`x.cast(type)\`: the same value as another type. One that does not fit fails the query, and is named; \`x.tryCast(type)\` makes it null. Nothing is rounded, cut off or
  guessed: 2.5 is not a whole number (\`round()\` it first), \`"1.6"\`, \`"1e3"\` and \`"0x1F"\` are no texts of whole numbers, \`"2026-02-30"\` is not a day.
- sql\`…\${c.x}…\`.as(type): the engine's own SQL, with a type that you declare. Values and columns are put in quoted.

Casts, from the row to the column; where nothing stands, the error says what to use instead. Between whole numbers, and between decimals, what does not fit is checked.
`,
    `${table(["", ...KINDS.map(([name]) => name)], castRows())}\n`,
  ].join("\n");
}

const wanted = page();
if (!process.argv.includes("--check")) writeFileSync(file, wanted);
else if (!existsSync(file) || readFileSync(file, "utf8") !== wanted) {
  console.error("docs/functions.md is not what the sources say: run npm run docs:functions.");
  process.exitCode = 1;
}
