import type { ExpressionNode } from "../../../src/data/expr/node.ts";
import { type ColumnType, decimal } from "../../../src/data/schema/column-type.ts";
import { randomValue, typeOf, VALUES } from "./tables.ts";
import type { Tape } from "./tape.ts";

/** A value of a type, or of a number's where values of its kind are not drawn. */
export function randomLiteral(tape: Tape, type: ColumnType): ExpressionNode {
  const plain = Object.hasOwn(VALUES, type.kind) ? type.notNull() : typeOf("int64");
  const drawn = plain.kind === "decimal" ? decimal(10, 2) : plain;
  return { kind: "literal", value: randomValue(tape, drawn), type: drawn };
}
