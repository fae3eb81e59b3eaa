import type { RankingNode } from "../../../src/data/expr/node.ts";
import type { Cell } from "./cells.ts";
import { evaluate, type Scope, Unsupported } from "./expressions.ts";

/** A function of a row's position among the ordered rows of its partition. */
export function rankingOf(
  node: RankingNode,
  scopes: readonly Scope[],
  place: number,
  isPeer: (other: Scope) => boolean,
  samePeers: (a: Scope, b: Scope) => boolean,
): Cell {
  const [argument, offset, otherwise] = node.arguments;
  const at = scopes[place];
  if (at === undefined) throw new Error("a row is not in its own partition");
  const moved = (by: number): Cell => {
    if (argument === undefined) throw new Error(`${node.function} of nothing`);
    const other = scopes[place + by];
    if (other !== undefined) return evaluate(argument, other);
    return otherwise === undefined ? null : evaluate(otherwise, at);
  };
  const rows = offset === undefined ? 1 : Number(evaluate(offset, at));
  switch (node.function as string) {
    case "rowNumber":
      return BigInt(place + 1);
    case "rank":
      return BigInt(scopes.findIndex(isPeer) + 1);
    case "denseRank": {
      const before = scopes.slice(0, scopes.findIndex(isPeer));
      return BigInt(
        1 +
          before.filter((scope, index) => index === 0 || !samePeers(before[index - 1] as Scope, scope))
            .length,
      );
    }
    case "percentRank":
      return scopes.length === 1 ? 0 : scopes.findIndex(isPeer) / (scopes.length - 1);
    case "lag":
      return moved(-rows);
    case "lead":
      return moved(rows);
    default:
      throw new Unsupported(`the ranking ${node.function}`);
  }
}
