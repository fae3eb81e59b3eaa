import { parseArgs } from "node:util";
import { installed, type PeerName, pythonInstalled } from "./peers.ts";

export interface Options {
  /** Names of parts; empty means all. */
  readonly only: readonly string[];
  /** Processes for each contestant. */
  readonly turns: number;
  /** Whom to measure beside Pawl and the loops: `--no-peers` leaves them out. */
  readonly peers: readonly PeerName[];
  readonly python: boolean;
  /** Bytes an item in the published table. */
  readonly sizes: readonly number[];
}

export function readOptions(
  args: readonly string[],
  parts: readonly string[],
  sizes: readonly number[],
): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      turns: { type: "string", default: "3" },
      sizes: { type: "string", default: sizes.join(",") },
      peers: { type: "boolean", default: true },
    },
    allowNegative: true,
  });
  const only = values.only?.split(",") ?? [];
  const unknown = only.find((name) => !parts.includes(name));
  if (unknown !== undefined) throw new Error(`There is no part ${unknown}: choose from ${parts.join(", ")}.`);
  const turns = Number(values.turns);
  if (!Number.isInteger(turns) || turns < 1) throw new Error("--turns is a whole number, at least 1.");
  const chosen = values.sizes.split(",").map(Number);
  const odd = chosen.find((size) => !sizes.includes(size));
  if (odd !== undefined) throw new Error(`--sizes has ${odd}: choose from ${sizes.join(", ")}.`);
  return {
    only,
    turns,
    peers: values.peers ? installed : [],
    python: values.peers && pythonInstalled,
    sizes: chosen,
  };
}
