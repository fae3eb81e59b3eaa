import { PawlError } from "../../errors.ts";
import { suggest } from "../../near-names.ts";
import type { ColumnField, FrameSchema } from "../schema/column-type.ts";
import { BuiltExpression, type ExpressionOf, type Form } from "./expression.ts";
import type { ColumnNode } from "./node.ts";

/** The columns of a frame as expressions. */
export type Columns<S extends FrameSchema, F extends Form = "row"> = {
  readonly [C in keyof S]: ExpressionOf<S[C], F>;
};

/** The columns of fields by name. A name that is not one throws PawlError("data.column"), which names near ones. */
export function columnsProxy<S extends FrameSchema>(
  fields: readonly ColumnField[],
  side?: "left" | "right",
): Columns<S> {
  const byName = new Map(fields.map((field) => [field.name, field]));
  return new Proxy(Object.create(null) as object, {
    get: (_, name) => {
      if (typeof name === "symbol") return undefined;
      const field = byName.get(name);
      if (field === undefined) throw unknownColumn(name, fields);
      const node = { kind: "column" as const, name, type: field.type };
      return new BuiltExpression(side === undefined ? node : { ...node, side });
    },
    has: (_, name) => typeof name === "string" && byName.has(name),
    ownKeys: () => [...byName.keys()],
    getOwnPropertyDescriptor: (_, name) =>
      typeof name === "string" && byName.has(name) ? { enumerable: true, configurable: true } : undefined,
  }) as Columns<S>;
}

/** The error for a name that is not a column. */
function unknownColumn(name: string, fields: readonly ColumnField[]): PawlError {
  const names = fields.map((field) => field.name);
  const some =
    names.length > 12 ? `${names.slice(0, 12).join(", ")} and ${names.length - 12} more` : names.join(", ");
  return new PawlError(
    "data.column",
    `There is no column ${JSON.stringify(name)}: ${suggest(name, names, names.length === 0 ? "there are no columns." : `there are ${some}.`)}`,
  );
}

/** The field of a name. Throws PawlError("data.column") where there is none. */
export function fieldNamed(name: string, fields: readonly ColumnField[]): ColumnField {
  const field = fields.find((each) => each.name === name);
  if (field === undefined) throw unknownColumn(String(name), fields);
  return field;
}

/** A column as an expression. */
export function columnNode({ name, type }: ColumnField): ColumnNode {
  return { kind: "column", name, type };
}
