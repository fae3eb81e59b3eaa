import { quoted } from "../../arguments.ts";
import { errorReason } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { own, setOwn } from "../../own.ts";
import { type ColumnField, ColumnType, isFloat, isInteger } from "../schema/column-type.ts";
import { storedValue } from "../schema/stored-value.ts";

/** A column on its way to a worker: a class does not arrive as one. */
export interface SentField {
  readonly name: string;
  readonly type: SentType;
}

export interface SentType {
  readonly kind: ColumnType["kind"];
  readonly isNullable: boolean;
  readonly precision?: number;
  readonly scale?: number;
  readonly of?: SentType;
  readonly fields?: readonly SentField[];
}

/** Columns as plain data. */
export function sentFields(fields: readonly ColumnField[]): readonly SentField[] {
  return JSON.parse(JSON.stringify(fields)) as readonly SentField[];
}

function receivedType(sent: SentType): ColumnType {
  const { kind, isNullable, of, fields, ...details } = sent;
  return new ColumnType(kind, isNullable, {
    ...details,
    ...(of === undefined ? {} : { of: receivedType(of) }),
    ...(fields === undefined
      ? {}
      : { fields: fields.map(({ name, type }) => ({ name, type: receivedType(type) })) }),
  });
}

type Fit = (value: unknown) => unknown;

/** A value that is not of its column's type: the line is malformed, for this reason. */
class Unfit extends Error {}

/**
 * Makes rows of the columns of a schema, of the values that JSON gives: what is missing is null, what is not in the schema is left out, and int64
 * is a bigint. `row` throws `Unfit` for a value that does not fit.
 */
export class RowFit {
  readonly #columns: readonly { readonly name: string; readonly fit: Fit }[];
  /** Whether numbers must be read by their digits, since JSON.parse loses those of large ones. */
  readonly exact: boolean;

  constructor(fields: readonly SentField[]) {
    const types = fields.map(({ name, type }) => ({ name, type: receivedType(type) }));
    this.#columns = types.map(({ name, type }) => ({ name, fit: fitOf(type, JSON.stringify(name)) }));
    this.exact = types.some(({ type }) => needsDigits(type));
  }

  row(value: unknown): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw new Unfit("is not an object with properties");
    const row: Record<string, unknown> = {};
    const columns = this.#columns;
    for (let at = 0; at < columns.length; at++) {
      const { name, fit } = columns[at] as (typeof columns)[number];
      setOwn(row, name, fit(own(value as Record<string, unknown>, name)));
    }
    return row;
  }

  /** The row of a line of JSON. */
  parsed(line: string): Record<string, unknown> {
    return this.row(this.exact ? exactly(line) : JSON.parse(line));
  }
}

function needsDigits({ kind, of, fields }: ColumnType): boolean {
  if (kind === "int64" || kind === "uint64" || kind === "decimal") return true;
  return (of !== undefined && needsDigits(of)) || (fields ?? []).some(({ type }) => needsDigits(type));
}

/** The value of a line whose numbers of more digits than a double holds are bigints, or texts of their digits. */
function exactly(line: string): unknown {
  // Most lines hold no such number, and are read by the parser alone.
  if (!/\d{16}/.test(line)) return JSON.parse(line);
  const parse = JSON.parse as (
    text: string,
    revive: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ) => unknown;
  return parse(line, (_, value, { source }) => {
    if (typeof value !== "number" || source === undefined || Number.isSafeInteger(value)) return value;
    if (/^-?\d+$/.test(source)) return BigInt(source);
    return source.length > 16 && /^-?\d+\.\d+$/.test(source) ? new Digits(value, source) : value;
  });
}

/** A number with the digits that it was written with. */
class Digits {
  readonly value: number;
  readonly text: string;

  constructor(value: number, text: string) {
    this.value = value;
    this.text = text;
  }
}

function fitOf(type: ColumnType, name: string): Fit {
  const { kind, isNullable } = type;
  const fit = notNullFit(type, name);
  const what = `has ${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind} ${name}`;
  // What most values are, before anything else is asked of them.
  const usual =
    kind === "text" ? "string" : kind === "float64" ? "number" : kind === "bool" ? "boolean" : null;
  return (given) => {
    if (typeof given === usual) return fit(given);
    const value = kind !== "decimal" && kind !== "json" && given instanceof Digits ? given.value : given;
    if (value !== null && value !== undefined) return fit(value);
    if (isNullable) return null;
    throw new Unfit(value === null ? `${what} that is null` : `has no ${name}`);
  };
}

function notNullFit(type: ColumnType, name: string): Fit {
  const { kind } = type;
  const refuse = (value: unknown): never => {
    const shown = typeof value === "object" ? JSON.stringify(value)?.slice(0, 60) : quoted(value);
    throw new Unfit(`has ${shown} as ${name}, which is not ${kind}`);
  };
  if (kind === "text")
    return (value) => (typeof value === "string" && value.isWellFormed() ? value : refuse(value));
  if (kind === "bool") return (value) => (typeof value === "boolean" ? value : refuse(value));
  if (kind === "float64")
    return (value) =>
      typeof value === "number" && Number.isFinite(value)
        ? value
        : typeof value === "bigint"
          ? Number(value)
          : refuse(value);
  if (kind === "json") return plainJson;
  if (kind === "list") {
    const each = fitOf(type.of as ColumnType, `an element of ${name}`);
    return (value) => (Array.isArray(value) ? value.map(each) : refuse(value));
  }
  if (kind === "struct") {
    const fields = (type.fields ?? []).map((field) => ({
      name: field.name,
      fit: fitOf(field.type, `${JSON.stringify(field.name)} of ${name}`),
    }));
    return (value) => {
      if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(value);
      const made: Record<string, unknown> = {};
      for (const field of fields)
        setOwn(made, field.name, field.fit(own(value as Record<string, unknown>, field.name)));
      return made;
    };
  }
  return (value) => {
    let stored: string | number | boolean | null;
    try {
      stored = storedValue(value instanceof Digits ? value.text : value, type, () => name);
    } catch {
      return refuse(value instanceof Digits ? value.value : value);
    }
    if (kind === "int64" || kind === "uint64") return BigInt(stored as string | number);
    if (kind === "float32") return Math.fround(Number(stored));
    return isInteger(kind) || isFloat(kind) ? Number(stored) : stored;
  };
}

/** JSON as it is, with numbers as JavaScript has them. */
function plainJson(value: unknown): unknown {
  if (value instanceof Digits) return value.value;
  if (typeof value === "bigint") return Number(value);
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value !== "object" || value === null) return value;
  const made: Record<string, unknown> = {};
  for (const [name, each] of Object.entries(value)) setOwn(made, name, plainJson(each));
  return made;
}

/** Why a value does not fit, as a part of a sentence; null for what was thrown for another reason. */
export function whyUnfit(error: unknown): string | null {
  return error instanceof Unfit ? error.message : null;
}

/** The error for an item that is not a row of a schema. */
export function unfitItem(error: unknown, method: string): unknown {
  return error instanceof Unfit
    ? new PawlError(
        "bag.schema",
        `The item ${errorReason(error)}: ${method} needs items that fit its schema.`,
      )
    : error;
}
