import type { CallNode } from "../../../src/data/expr/node.ts";
import { type Apply, strict } from "./apply.ts";
import { type Cell, civil, dayNumber, splitMoment } from "./cells.ts";

/** The day of a date or moment, and how far into it the value is. */
function partsOf(value: Cell, kind: string | undefined): { days: bigint; inDay: bigint } {
  if (kind === "date") return { days: value as bigint, inDay: 0n };
  if (kind === "time") return { days: 0n, inDay: value as bigint };
  return splitMoment(value as bigint);
}

type Parts = ReturnType<typeof partsOf>;

function ofTime(apply: (parts: Parts) => bigint): Apply {
  return strict(([value], node: CallNode) => apply(partsOf(value as Cell, node.arguments[0]?.type.kind)));
}

function ofDay(apply: (days: bigint) => number): Apply {
  return ofTime(({ days }) => BigInt(apply(days)));
}

/** 1 is Monday. */
function weekday(days: bigint): number {
  return Number((((days + 3n) % 7n) + 7n) % 7n) + 1;
}

/** ISO 8601: a week belongs to the year of its Thursday. */
function weekOf(days: bigint): { year: number; week: number } {
  const thursday = days + BigInt(4 - weekday(days));
  const { year } = civil(thursday);
  return { year, week: Number((thursday - dayNumber(year, 1, 1)) / 7n) + 1 };
}

const SECOND = 1_000_000n;

export const timeFunctions: readonly (readonly [string, Apply])[] = [
  ["year", ofDay((days) => civil(days).year)],
  ["quarter", ofDay((days) => Math.ceil(civil(days).month / 3))],
  ["month", ofDay((days) => civil(days).month)],
  ["week", ofDay((days) => weekOf(days).week)],
  ["weekYear", ofDay((days) => weekOf(days).year)],
  ["day", ofDay((days) => civil(days).day)],
  ["weekday", ofDay(weekday)],
  ["dayOfYear", ofDay((days) => Number(days - dayNumber(civil(days).year, 1, 1)) + 1)],
  ["hour", ofTime(({ inDay }) => inDay / (3600n * SECOND))],
  ["minute", ofTime(({ inDay }) => (inDay / (60n * SECOND)) % 60n)],
  ["second", ofTime(({ inDay }) => (inDay / SECOND) % 60n)],
  ["millisecond", ofTime(({ inDay }) => (inDay % SECOND) / 1000n)],
  ["microsecond", ofTime(({ inDay }) => inDay % SECOND)],
  ["date", ofTime(({ days }) => days)],
  ["time", ofTime(({ inDay }) => inDay)],
];
