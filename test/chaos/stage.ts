import { Ground } from "./ground.ts";
import type { Loader, LoaderAim } from "./loader.ts";
import type { Oracle } from "./oracle.ts";
import type { Plan } from "./plan.ts";
import { Random } from "./random.ts";
import type { Summary } from "./result.ts";
import type { Server } from "./server.ts";
import { ROLE, TABLE } from "./target.ts";

/** Where one scenario is played: its files, its database, its store, and the command that is given again and again. */
export class Stage extends Ground {
  readonly plan: Plan;
  readonly oracle: Oracle;
  readonly #files: readonly string[];
  readonly #random: Random;

  constructor(place: {
    readonly plan: Plan;
    readonly server: Server;
    readonly database: string;
    readonly folder: string;
    readonly oracle: Oracle;
    readonly files: readonly string[];
  }) {
    super({ ...place, leastEffects: place.oracle.leastEffects });
    this.plan = place.plan;
    this.oracle = place.oracle;
    this.#files = place.files;
    this.#random = new Random(place.plan.seed).fork("launches");
  }

  /** Gives the command; what it loads is the same every time, how it does so may differ. */
  load(aim: LoaderAim | null): Loader {
    return this.pawl(this.#argv(), aim);
  }

  /** The replay of the load, if it has come to its end. */
  async finishedReplay(load: string): Promise<Summary | null> {
    return (await this.runs()).find(({ state, run }) => state === "succeeded" && run !== load) ?? null;
  }

  #argv(): string[] {
    const { plan } = this;
    const random = this.#random;
    const keys = plan.shape.columns.slice(0, plan.shape.keys).map(({ name }) => name);
    const onConflict = plan.mode === "append" ? "fail" : plan.mode;
    const argv = ["load", ...this.#files, "--into", this.server.url(this.database, ROLE), "--table", TABLE];
    argv.push("--max-quarantined", "1000000", "--json");
    if (plan.shape.kind !== "none" && plan.nameKey) argv.push("--key", keys.join(","));
    if (plan.mode !== "update" || random.chance(0.2)) argv.push("--on-conflict", onConflict);
    if (plan.dialect.delimiter !== ",") argv.push("--delimiter", plan.dialect.delimiter);
    if (plan.dialect.nullText !== "") argv.push("--null", plan.dialect.nullText);
    if (plan.promiseUnique) argv.push("--unique");
    const concurrency = random.pick(plan.concurrency);
    if (concurrency !== null) argv.push("--concurrency", String(concurrency));
    const memory = random.pick(plan.memory);
    if (memory !== null) argv.push("--memory", memory);
    return argv;
  }
}
