import type { Fault } from "../../connect/objects/fault-proxy.ts";
import { Random } from "../random.ts";

export type Way = "s3-to-s3" | "folder-to-s3" | "s3-to-folder" | "folder-to-folder";

/** When to kill: once so much of the target is there, and then a little later. */
export interface Kill {
  readonly progress: number;
  readonly afterMs: number;
  /** `SIGINT` lets it stop at its next checkpoint. */
  readonly signal: "SIGKILL" | "SIGINT";
}

export interface CopyPlan {
  readonly seed: string;
  readonly way: Way;
  /** The sizes of the objects. */
  readonly sizes: readonly number[];
  readonly kills: readonly Kill[];
  /** How many of a thousand requests fail in a way that passes. */
  readonly faulty: number;
  readonly flags: readonly string[];
}

const LARGE = 17 * 2 ** 20;

/** What is copied in scenario `seed`, how, and what strikes meanwhile. */
export function planCopy(seed: string, options: { readonly largest: number }): CopyPlan {
  const random = new Random(seed);
  const way = random.pick<Way>(["s3-to-s3", "s3-to-s3", "folder-to-s3", "s3-to-folder", "folder-to-folder"]);
  const sizes = random.fork("sizes");
  const count = sizes.int(Math.ceil(options.largest / 4), options.largest);
  const large = sizes.weighted({ none: 2, one: 2, two: 1 });
  const all = Array.from({ length: count }, () =>
    sizes.chance(0.05) ? 0 : sizes.chance(0.1) ? sizes.int(60_000, 2_000_000) : sizes.int(1, 60_000),
  );
  for (let n = { none: 0, one: 1, two: 2 }[large]; n > 0; n--)
    all[sizes.int(0, count - 1)] = LARGE + sizes.int(0, 12_000_000);
  const strikes = random.fork("kills");
  const kills = Array.from({ length: strikes.int(1, 4) }, (): Kill => {
    const early = strikes.chance(0.2);
    return {
      progress: early ? 0 : strikes.next(),
      afterMs: early ? strikes.int(0, 1_500) : strikes.int(0, 60),
      signal: strikes.chance(0.85) ? "SIGKILL" : "SIGINT",
    };
  });
  kills.sort((a, b) => a.progress - b.progress);
  const flags = random.fork("flags");
  const concurrency = flags.pick([null, "1", "3", "16", "64"]);
  return {
    seed,
    way,
    sizes: all,
    kills,
    faulty: random.fork("faults").pick([0, 0, 10, 40]),
    flags: concurrency === null ? [] : ["--concurrency", concurrency],
  };
}

/** A fault that passes when the request is sent again. */
export function drawFault(random: Random, sends: boolean): Fault {
  const kinds = sends
    ? ({ refused: 2, status: 2, lost: 2, "cut-upload": 2, "spoilt-upload": 2, slow: 3 } as const)
    : ({ refused: 2, status: 2, lost: 1, cut: 3, short: 1, spoilt: 2, slow: 3 } as const);
  const kind = random.weighted<string>(kinds);
  switch (kind) {
    case "status":
      return random.chance(0.2)
        ? { kind, status: 429, retryAfter: "1" }
        : { kind, status: random.pick([500, 503]) };
    case "cut":
    case "cut-upload":
      return { kind, after: random.int(0, 40_000) };
    case "short":
      return { kind, by: 1 };
    case "slow":
      return { kind, ms: random.int(0, 200) };
    default:
      return { kind } as Fault;
  }
}

export function describeCopy({ way, sizes, kills, faulty, flags }: CopyPlan, number: number): string {
  const megabytes = (sizes.reduce((sum, size) => sum + size, 0) / 2 ** 20).toFixed(1);
  const strikes = kills.map(
    ({ progress, afterMs, signal }) =>
      `${signal === "SIGKILL" ? "kill" : "stop"}@${progress.toFixed(2)}+${afterMs}ms`,
  );
  return `#${number} ${way}, ${sizes.length} objects, ${megabytes} MiB, ${faulty} ‰ faults ${flags.join(" ")} | ${strikes.join(" ")}`;
}
