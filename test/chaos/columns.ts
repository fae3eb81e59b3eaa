import type { Random } from "./random.ts";
import { text } from "./text.ts";

/** A value as PostgreSQL prints it with `::text`; null is NULL. */
export type Value = string | null;

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly make: (random: Random) => Value;
  /** Another way to write the value that the target reads as the same one. */
  readonly spell: (random: Random, value: string) => string;
}

/** `none`: the key columns are ordinary ones, and the table counts its rows by itself. */
export type KeyKind = "bigint" | "uuid" | "text" | "numeric" | "composite" | "none";

export interface Shape {
  readonly kind: KeyKind;
  /** Key columns first. */
  readonly columns: readonly Column[];
  /** How many of the columns are the key. */
  readonly keys: number;
}

const asItStands = (_: Random, value: string): string => value;

function wholeNumber(random: Random, value: string): string {
  const zeros = (count: number) => (value.startsWith("-") ? `-${"0".repeat(count)}${value.slice(1)}` : null);
  const ways = [`00${value}`, `+${value}`, ` ${value}`, `${value} `];
  return value.startsWith("-") ? (zeros(random.int(1, 3)) ?? value) : random.pick(ways);
}

function uuid(random: Random): string {
  const hex = Array.from({ length: 32 }, () => random.int(0, 15).toString(16)).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function spellUuid(random: Random, value: string): string {
  return random.pick([value.toUpperCase(), `{${value}}`, value.replaceAll("-", "")]);
}

function money(random: Random): string {
  return (random.int(-9_999_999, 99_999_999) / 100).toFixed(2);
}

function spellMoney(random: Random, value: string): string {
  return random.pick([value.replace(/\.?0+$/, ""), `${value}0`, `${value}4`]);
}

function date(random: Random): string {
  return new Date(Date.UTC(random.int(1600, 2400), 0, random.int(1, 365))).toISOString().slice(0, 10);
}

const KEYS: Record<KeyKind, readonly Column[]> = {
  bigint: [
    {
      name: "id",
      type: "bigint",
      make: (random) => String(random.int(-(2 ** 40), 2 ** 52)),
      spell: wholeNumber,
    },
  ],
  uuid: [{ name: "id", type: "uuid", make: uuid, spell: spellUuid }],
  text: [{ name: "code", type: "text", make: (random) => text(random, 24), spell: asItStands }],
  numeric: [
    {
      name: "at",
      type: "numeric(14,2)",
      make: (random) => (random.int(-(2 ** 36), 2 ** 36) / 4).toFixed(2),
      spell: spellMoney,
    },
  ],
  composite: [
    { name: "Region", type: "text", make: (random) => text(random, 3), spell: asItStands },
    { name: "no", type: "integer", make: (random) => String(random.int(0, 2 ** 31 - 1)), spell: wholeNumber },
  ],
  none: [
    {
      name: "id",
      type: "bigint not null",
      make: (random) => String(random.int(1, 2 ** 50)),
      spell: wholeNumber,
    },
  ],
};

const REST: readonly Column[] = [
  { name: "name", type: "varchar(60)", make: (random) => maybe(random, text(random, 60)), spell: asItStands },
  {
    name: "qty",
    type: "integer not null check (qty >= 0)",
    make: (random) => String(random.int(0, 2 ** 31 - 1)),
    spell: wholeNumber,
  },
  { name: "price", type: "numeric(10,2)", make: (random) => maybe(random, money(random)), spell: spellMoney },
  {
    name: "born",
    type: "date",
    make: (random) => maybe(random, date(random)),
    spell: (_, value) => value.replaceAll("-", ""),
  },
  {
    name: "extra",
    type: "jsonb",
    make: (random) => maybe(random, `{"n": ${random.int(0, 999)}, "s": ${JSON.stringify(text(random, 8))}}`),
    spell: (_, value) => value.replace(", ", ",").replace(": ", ":"),
  },
  { name: "select", type: "text", make: (random) => maybe(random, text(random, 80)), spell: asItStands },
];

function maybe(random: Random, value: string): Value {
  return random.chance(0.1) ? null : value;
}

export function shapeOf(kind: KeyKind): Shape {
  return { kind, columns: [...KEYS[kind], ...REST], keys: KEYS[kind].length };
}

const FIELD = "\x1f";
const NULL = "\x1e";

/** One text for several values; the audit trigger builds the same one in SQL. */
export function joined(values: readonly Value[]): string {
  return values.map((value) => value ?? NULL).join(FIELD);
}

/** The SQL of `joined` over expressions. */
export function joinedSql(expressions: readonly string[]): string {
  return `array_to_string(array[${expressions.map((e) => `(${e})::text`).join(", ")}], E'\\x1f', E'\\x1e')`;
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
