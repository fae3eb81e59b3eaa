import type { CallNode } from "../../../src/data/expr/node.ts";
import type { Cell } from "./cells.ts";

/** A function of the values of one row. */
export type Apply = (args: readonly Cell[], node: CallNode) => Cell;

/** Null as soon as one argument is. */
export function strict(apply: (args: readonly NonNullable<Cell>[], node: CallNode) => Cell): Apply {
  return (args, node) => (args.includes(null) ? null : apply(args as readonly NonNullable<Cell>[], node));
}
