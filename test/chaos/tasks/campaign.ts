import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "../server.ts";
import { type Arena, openPostgresArena, openSqliteArena } from "./arena.ts";
import type { Break } from "./broken.ts";
import type { Driver, FaultKind } from "./plan.ts";
import { playRound, type RoundResult } from "./round.ts";
import { storyOf } from "./story.ts";

export interface CampaignOptions {
  readonly seed: string;
  readonly driver: Driver;
  /** Faults of one round. */
  readonly faults: number;
  readonly kind: FaultKind | null;
  readonly broken: Break | null;
  readonly workers: number;
  readonly producers: number;
}

/** Short, so that a lease runs out soon. */
const LEASE_MS = 2_000;

/** The most stories that are told of a round. */
const STORIES = 3;

/** Every process may have a dozen connections, and what was cut leaves some behind. */
const CONNECTIONS = 300;

/** Rounds of one seed, one after the other, and what they came to. */
export class Campaign implements AsyncDisposable {
  failed = 0;
  rounds = 0;
  readonly struck = new Map<FaultKind, number>();
  readonly #options: CampaignOptions;
  readonly #print: (line: string) => void;
  readonly #root: string;
  readonly #server: Server | null;
  readonly #seen = { tasks: 0, attempts: 0, crashed: 0, lost: 0, groups: 0, ticks: 0 };

  private constructor(
    options: CampaignOptions,
    print: (line: string) => void,
    root: string,
    server: Server | null,
  ) {
    this.#options = options;
    this.#print = print;
    this.#root = root;
    this.#server = server;
  }

  static async open(options: CampaignOptions, print: (line: string) => void): Promise<Campaign> {
    const root = mkdtempSync(join(tmpdir(), "pawl-chaos-tasks-"));
    // PostgreSQL may run as another user, who must be able to reach its folder.
    chmodSync(root, 0o711);
    const server =
      options.driver === "postgres" ? await Server.create(join(root, "postgres"), CONNECTIONS) : null;
    return new Campaign(options, print, root, server);
  }

  get faults(): number {
    return this.struck.values().reduce((sum, count) => sum + count, 0);
  }

  /** Plays a round. What it does depends on the seed and its number, as far as processes go alike. */
  async play(number: number): Promise<RoundResult> {
    const { seed, driver, ...options } = this.#options;
    const folder = join(this.#root, `round-${number}`);
    const arena = await this.#arena(folder, number);
    let result: RoundResult;
    try {
      result = await playRound(arena, { ...options, seed: `${seed}/${number}`, folder, leaseMs: LEASE_MS });
    } finally {
      await arena.close();
    }
    this.rounds++;
    this.#count(result);
    const { violations, facts, struck } = result;
    const line = `${driver} ${number}: ${struck.length} faults, ${facts.tasks.size} tasks`;
    if (violations.length === 0) {
      this.#print(`${line} | ok`);
      rmSync(folder, { recursive: true, force: true });
      return result;
    }
    this.failed++;
    const again = `npm run test:chaos -- --work tasks --store ${driver} --seed ${seed} --only ${number}`;
    this.#print(`${line} | FAILED: ${violations.length} violations\n  see ${folder}\n  again: ${again}`);
    for (const violation of violations.slice(0, STORIES)) this.#print(storyOf(violation, facts));
    return result;
  }

  /** The totals. */
  report(): string[] {
    const { tasks, attempts, crashed, lost, groups, ticks } = this.#seen;
    const faults = [...this.struck].sort().map(([kind, count]) => `${count} ${kind}`);
    return [
      `${this.faults} faults: ${faults.join(", ") || "none"}`,
      `${tasks} tasks in ${attempts} attempts, of which ${crashed} crashed; ${lost} settlements refused; ${groups} groups; ${ticks} ticks`,
      `${this.rounds - this.failed} rounds passed, ${this.failed} failed`,
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.stop("immediate");
    rmSync(join(this.#root, "postgres"), { recursive: true, force: true });
    if (this.failed === 0) rmSync(this.#root, { recursive: true, force: true });
  }

  async #arena(folder: string, number: number): Promise<Arena> {
    return this.#server === null
      ? openSqliteArena(folder)
      : await openPostgresArena(this.#server, `round_${number}`);
  }

  #count({ struck, facts }: RoundResult): void {
    for (const kind of struck) this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
    const seen = this.#seen;
    seen.tasks += facts.tasks.size;
    seen.groups += facts.groups.size;
    for (const each of facts.attempts.values()) {
      seen.attempts += each.length;
      seen.crashed += each.filter(({ result }) => result === "crashed").length;
    }
    for (const entry of facts.entries) {
      if (entry.what === "settled") seen.lost += entry.lost.length;
      if (entry.what === "ticked") seen.ticks += entry.ids.length;
    }
  }
}
