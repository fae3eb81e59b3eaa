import { type Apply, strict } from "./apply.ts";
import { type Cell, compare, compareForSort, same } from "./cells.ts";

function ofList(apply: (list: readonly Cell[], ...others: Cell[]) => Cell): Apply {
  return strict((args) => apply(args[0] as readonly Cell[], ...args.slice(1)));
}

const known = (list: readonly Cell[]) => list.filter((value) => value !== null);
const sorted = (list: readonly Cell[]) => list.toSorted((a, b) => compareForSort(a, b, false));

export const listFunctions: readonly (readonly [string, Apply])[] = [
  ["listLength", ofList((list) => BigInt(list.length))],
  ["listContains", ofList((list, value = null) => list.some((each) => each !== null && same(each, value)))],
  ["listSort", ofList(sorted)],
  [
    "listDistinct",
    ofList((list) =>
      sorted(known(list)).filter((value, place, all) => place === 0 || !same(value, all[place - 1] as Cell)),
    ),
  ],
  [
    "listMin",
    ofList((list) => known(list).reduce((a: Cell, b) => (a === null || compare(b, a) < 0 ? b : a), null)),
  ],
  [
    "listMax",
    ofList((list) => known(list).reduce((a: Cell, b) => (a === null || compare(b, a) > 0 ? b : a), null)),
  ],
];
