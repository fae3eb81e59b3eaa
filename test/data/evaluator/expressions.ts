import type { ExpressionNode } from "../../../src/data/expr/node.ts";
import { castCell } from "./casts.ts";
import { type Cell, cellOf } from "./cells.ts";
import { functions } from "./functions.ts";

/** What an expression finds around it. */
export interface Scope {
  /** The value of a column; of a join's condition, of one of its inputs. */
  column(name: string, side?: "left" | "right"): Cell;
  /** The value of an aggregate or window function, worked out by who knows the other rows. */
  computed(node: ExpressionNode): Cell;
}

/** What the evaluator cannot do yet. */
export class Unsupported extends Error {}

/** The value of an expression for one row. */
export function evaluate(node: ExpressionNode, scope: Scope): Cell {
  switch (node.kind) {
    case "column":
      return scope.column(node.name, node.side);
    case "literal":
      return cellOf(node.value, node.type);
    case "call": {
      const apply = functions.get(node.function);
      if (apply === undefined) throw new Unsupported(`the function ${node.function}`);
      return apply(
        node.arguments.map((argument) => evaluate(argument, scope)),
        node,
      );
    }
    case "cast":
      return castCell(evaluate(node.of, scope), node.of.type, node.type, node.checked);
    case "case": {
      const branch = node.branches.find(({ when }) => evaluate(when, scope) === true);
      return evaluate(branch === undefined ? node.otherwise : branch.then, scope);
    }
    case "aggregate":
    case "window":
      return scope.computed(node);
    case "sql":
      throw new Unsupported("SQL of the engine");
  }
}
