/** Which types a cast leads to, and how sure it is: one table, so that no pair means two things on two engines. */
import { PawlError } from "../../errors.ts";
import { type ColumnType, isFloat, isInteger, type Kind, typeText } from "../schema/column-type.ts";

/** What a pair of types allows. `free`: every value fits. `checked`: values that do not fit fail, or become null. Otherwise why there is none. */
export type CastRule = "free" | "checked" | { readonly instead: string };

const TEXTS: ReadonlySet<Kind> = new Set([
  "bool",
  "int8",
  "int16",
  "int32",
  "int64",
  "uint8",
  "uint16",
  "uint32",
  "uint64",
  "decimal",
  "date",
  "time",
  "timestamp",
  "timestamptz",
  "uuid",
  "json",
  "text",
]);

/** Whole numbers by how much they hold: signed bits without the sign. */
const BITS: Partial<Readonly<Record<Kind, readonly [signed: boolean, bits: number]>>> = {
  int8: [true, 7],
  int16: [true, 15],
  int32: [true, 31],
  int64: [true, 63],
  uint8: [false, 8],
  uint16: [false, 16],
  uint32: [false, 32],
  uint64: [false, 64],
};

/** What a cast from one type to another does. */
export function castRule(from: ColumnType, to: ColumnType): CastRule {
  if (from.kind === to.kind) return sameKind(from, to);
  if (from.kind === "text") return fromText(to);
  if (to.kind === "text") return toText(from);
  if (from.kind === "json") return fromJson(to);
  if (isInteger(from.kind)) return fromInteger(from.kind, to);
  if (isFloat(from.kind)) return fromFloat(to);
  if (from.kind === "decimal")
    return isInteger(to.kind) ? "checked" : isFloat(to.kind) ? "free" : none(from, to);
  if (from.kind === "bool") return isInteger(to.kind) || isFloat(to.kind) ? "free" : none(from, to);
  if (from.kind === "date" && to.kind === "timestamp") return "checked";
  if (from.kind === "list" || from.kind === "struct") return to.kind === "json" ? "free" : none(from, to);
  return temporal(from, to);
}

function none(from: ColumnType, to: ColumnType): CastRule {
  return { instead: `no value of ${typeText(from.notNull())} is one of ${typeText(to.notNull())}` };
}

function sameKind(from: ColumnType, to: ColumnType): CastRule {
  if (from.kind === "decimal") {
    const { precision = 38, scale = 0 } = from;
    const { precision: digits = 38, scale: places = 0 } = to;
    return places >= scale && digits - places >= precision - scale ? "free" : "checked";
  }
  if (from.kind === "list" || from.kind === "struct")
    return typeText(from.notNull()) === typeText(to.notNull())
      ? "free"
      : { instead: "lists and structs are cast only to what they are: cast the elements before" };
  return "free";
}

function fromText(to: ColumnType): CastRule {
  if (to.kind === "bytes") return "free";
  return to.kind === "list" || to.kind === "struct" ? { instead: "cast it to json() first" } : "checked";
}

function toText(from: ColumnType): CastRule {
  if (TEXTS.has(from.kind)) return "free";
  if (from.kind === "bytes") return "checked";
  if (isFloat(from.kind))
    return { instead: "engines write floating-point numbers in different ways: use format({ digits: 2 })" };
  return {
    instead: from.kind === "list" ? "use join(), or cast it to json() first" : "cast it to json() first",
  };
}

function fromJson(to: ColumnType): CastRule {
  return to.kind === "bytes" ? { instead: "cast it to text() first" } : "checked";
}

function fromInteger(from: Kind, to: ColumnType): CastRule {
  if (isFloat(to.kind)) return "free";
  if (to.kind === "decimal") return "checked";
  if (to.kind === "bool") return { instead: "say which numbers are true, such as ne(0)" };
  const [signed, bits] = BITS[from] ?? [true, 63];
  const [toSigned, toBits] = BITS[to.kind] ?? [true, 0];
  if (!isInteger(to.kind)) return { instead: "use fromEpoch() for moments, or cast it to text() first" };
  return bits <= toBits && (!signed || toSigned) ? "free" : "checked";
}

function fromFloat(to: ColumnType): CastRule {
  if (to.kind === "bool") return { instead: "say which numbers are true, such as ne(0)" };
  if (to.kind === "float64") return "free";
  return isInteger(to.kind) || isFloat(to.kind) || to.kind === "decimal"
    ? "checked"
    : { instead: "no such number is one" };
}

function temporal(from: ColumnType, to: ColumnType): CastRule {
  const pair = `${from.kind} ${to.kind}`;
  if (pair === "timestamp timestamptz" || pair === "date timestamptz")
    return { instead: 'say in which zone its clock stands: fromTimeZone("UTC")' };
  if (pair === "timestamptz timestamp")
    return { instead: 'say in which zone it is shown: toTimeZone("UTC")' };
  if (to.kind === "date" && from.kind !== "time") return { instead: "use date(), which drops the time" };
  if (to.kind === "time" && from.kind !== "date") return { instead: "use time(), which drops the day" };
  return none(from, to);
}

/** Throws PawlError("data.cast") where there is no cast. `what` names the expression. */
export function assertCast(from: ColumnType, to: ColumnType, what: string): void {
  const rule = castRule(from, to);
  if (typeof rule === "object")
    throw new PawlError(
      "data.cast",
      `There is no cast of ${what}, which is ${typeText(from)}, to ${typeText(to.notNull())}: ${rule.instead}.`,
    );
}
