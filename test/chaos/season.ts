import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { playBackfill } from "./backfill/scenario.ts";
import type { FaultKind } from "./faults.ts";
import type { PlannedAim, PlanOptions } from "./plan.ts";
import { playScenario, type Result } from "./scenario.ts";
import { Server } from "./server.ts";

export interface SeasonOptions extends PlanOptions {
  /** `both`: every third scenario is a backfill. */
  readonly work: "load" | "backfill" | "both";
}

/** Scenarios of one seed on one server, one after the other, and what they came to. */
export class Season {
  passed = 0;
  failed = 0;
  readonly #gaveUp = new Map<string, number>();
  readonly #struck = new Map<FaultKind, number>();
  readonly #seed: string;
  readonly #options: SeasonOptions;
  readonly #print: (line: string) => void;
  readonly #root: string;
  readonly #server: Server;

  private constructor(
    seed: string,
    options: SeasonOptions,
    print: (line: string) => void,
    root: string,
    server: Server,
  ) {
    this.#seed = seed;
    this.#options = options;
    this.#print = print;
    this.#root = root;
    this.#server = server;
  }

  static async open(seed: string, options: SeasonOptions, print: (line: string) => void): Promise<Season> {
    const root = mkdtempSync(join(tmpdir(), "pawl-chaos-"));
    // PostgreSQL may run as another user, who must be able to reach its folder.
    chmodSync(root, 0o711);
    return new Season(seed, options, print, root, await Server.create(join(root, "postgres")));
  }

  get kills(): number {
    return (this.#struck.get("kill") ?? 0) + (this.#struck.get("point") ?? 0);
  }

  /** Plays one scenario again and again, struck at its first point, its second, and so on to its last. */
  async sweep(number: number, during: PlannedAim["during"], kind: PlannedAim["kind"]): Promise<void> {
    for (let point = 1; (await this.play(number, { during, kind, point })).wasAtPoint; point++);
  }

  async play(number: number, aim: PlannedAim | null = this.#options.aim): Promise<Result> {
    const options = { ...this.#options, aim };
    const play = this.#isBackfill(number, aim) ? playBackfill : playScenario;
    const result = await play(this.#server, this.#root, this.#seed, number, options);
    for (const kind of result.struck) this.#struck.set(kind, (this.#struck.get(kind) ?? 0) + 1);
    for (const text of result.gaveUp) this.#gaveUp.set(text, (this.#gaveUp.get(text) ?? 0) + 1);
    if (result.failure === null) {
      this.passed++;
      this.#print(`${result.line} | ok${aim ? `, point ${aim.point}` : ""}`);
    } else {
      this.failed++;
      const at = aim ? ` --sweep ${aim.during}-${aim.kind} --point ${aim.point}` : "";
      const work = options.work === "both" ? "" : ` --work ${options.work}`;
      const again = `npm run test:chaos -- --seed ${this.#seed} --only ${number} --rows ${options.largest}${work}${at}`;
      this.#print(`${result.line} | FAILED\n  ${result.failure}\n  see ${result.folder}\n  again: ${again}`);
    }
    return result;
  }

  #isBackfill(number: number, aim: PlannedAim | null): boolean {
    const { work } = this.#options;
    return aim === null && (work === "backfill" || (work === "both" && number % 3 === 0));
  }

  /** The totals; the last line counts the scenarios. */
  report(): string[] {
    const faults = [...this.#struck].sort().map(([kind, count]) => `${count} ${kind}`);
    return [
      `faults: ${faults.join(", ") || "none"}`,
      ...[...this.#gaveUp].map(([text, count]) => `gave up and was given again, ${count} times: ${text}`),
      `${this.passed} passed, ${this.failed} failed`,
    ];
  }

  async close(): Promise<void> {
    await this.#server.stop("fast");
    rmSync(join(this.#root, "postgres"), { recursive: true, force: true });
    if (this.failed === 0) rmSync(this.#root, { recursive: true, force: true });
  }
}
