import type { Entry, FaultProxy } from "../../connect/objects/fault-proxy.ts";

/** Requests that carry an object's bytes, or have them copied: what a provider asks money for. */
const CARRYING = new Set(["get", "put", "part", "copy", "complete-parts"]);

/** Holds the requests of each launch against what was there already and what failed. */
export class Payments {
  readonly #proxies: readonly FaultProxy[];
  #from: number[];

  constructor(proxies: readonly FaultProxy[]) {
    this.#proxies = proxies;
    this.#from = proxies.map(({ journal }) => journal.length);
  }

  /**
   * What was paid for without need since the last call. `whole` are the objects that stood in the target before this launch.
   */
  audit(whole: ReadonlySet<string>): string[] {
    const wrong: string[] = [];
    const launch = this.#proxies.flatMap(({ journal }, at) => journal.slice(this.#from[at]));
    this.#from = this.#proxies.map(({ journal }) => journal.length);
    const carrying = launch.filter(({ asked }) => CARRYING.has(asked.operation));
    for (const [key, entries = []] of Object.entries(Object.groupBy(carrying, ({ asked }) => asked.key))) {
      if (whole.has(key)) wrong.push(`${key} was there, and was paid for again: ${entries.map(describe)}`);
      // Any request for an object that fails may make another of its requests needed again.
      const failed = entries.filter((entry) => hurts(entry)).length;
      const same = Object.values(Object.groupBy(entries, describe));
      for (const repeated of same) {
        const done = repeated?.filter((entry) => !hurts(entry)).length ?? 0;
        if (done > 1 + failed)
          wrong.push(`${key}: ${done} × ${describe(repeated?.[0] as Entry)}, ${failed} failed`);
      }
    }
    return wrong;
  }
}

function hurts({ fault, status }: Entry): boolean {
  return (fault !== null && fault.kind !== "slow") || status === null || status >= 300;
}

/** Which piece of an object a request was for. */
function describe({ asked: { operation, query, headers } }: Entry): string {
  return [operation, query.get("partNumber") ?? headers.range ?? ""].join(" ").trim();
}
