import { Pool } from "../../dist/pool/index.js";
import { once, timed } from "./stopwatch.ts";
import { table } from "./table.ts";
import { square } from "./tasks.ts";

const AWAITED = 500;
const SUBMITTED = 5000;

export interface Crossover {
  readonly size: string;
  /** The cost of an item. */
  readonly from: string;
}

/** Which call when, with the figures of this machine. */
export async function advice(crossovers: readonly Crossover[]): Promise<string> {
  await using pool = new Pool();
  const start = await once(() => pool.apply(square, 1));
  const awaited = await timed(async () => {
    for (let call = 0; call < AWAITED; call++) await pool.submit(square, call).result();
  });
  const submitted = await timed(() =>
    Promise.all(Array.from({ length: SUBMITTED }, (_, call) => pool.submit(square, call).result())),
  );
  const alone = ((awaited.warm / AWAITED) * 1000).toFixed(0);
  const among = ((submitted.warm / SUBMITTED) * 1000).toFixed(1);
  const from = crossovers.map(({ size, from }) => `${size}: ${from}`).join("; ");
  return `Which call when, on this machine\n${table(
    [
      [
        "map, starmap",
        "an array: it finds out by itself whether workers pay. They do if an item costs, by its size,",
      ],
      ["", `${from}`],
      ["", `and if the whole takes longer than starting them, ${start.toFixed(0)} ms here`],
      ["imap, imapUnordered", "more items than memory holds, or results as they come: the same rule"],
      [
        "submit",
        `single calls: always a worker; costs ${alone} µs awaited one by one, ${among} µs among many`,
      ],
      [
        "put, SharedArray",
        "items that are large for what is done to them: the worker reads in place, nothing is sent",
      ],
      ["each", "items that wait for the network or a disk: no worker, no sending"],
      ["actor", "state that stays in its worker between calls"],
    ],
    [0, 1],
  )}`;
}
