import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome, Running } from "../../cli/scene.ts";
import type { Asked } from "../../connect/objects/fault-proxy.ts";
import { CopyScene, md5, type Servers } from "../../connect/objects/scene.ts";
import { expect } from "../mismatch.ts";
import { Random } from "../random.ts";
import { Payments } from "./payments.ts";
import { type CopyPlan, describeCopy, drawFault, type Kill, planCopy } from "./plan.ts";
import { BucketSide, FolderSide, type Side, type Sight, sightOf } from "./side.ts";
import { Watcher } from "./watcher.ts";

/** How often the command is given before it counts as one that never ends. */
const LAUNCHES = 60;
const SECRET = "test-Secret-4417";

export interface Played {
  readonly line: string;
  readonly kills: number;
  /** Null when the promise held. */
  readonly failure: string | null;
}

/** Plays scenario `number` of a seed: a copy that is killed at random moments and given again, to its last check. */
export async function playCopy(
  servers: Servers,
  seed: string,
  number: number,
  options: { readonly largest: number },
): Promise<Played> {
  const plan = planCopy(`${seed}/${number}`, options);
  await using scene = await CopyScene.begin(servers, `chaos-${process.pid}-${number}`);
  const play = new Play(plan, scene);
  const began = Date.now();
  let failure: string | null = null;
  try {
    await play.run();
  } catch (error) {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  await play.close();
  await servers.near.dropBucket(scene.source.bucket);
  await servers.far.dropBucket(scene.target.bucket);
  const seconds = ((Date.now() - began) / 1000).toFixed(1);
  const { kills, launches, looks, busy } = play;
  const line = `${describeCopy(plan, number)} | ${kills} struck, ${launches} launches (${busy} busy), ${looks} looks, ${seconds} s`;
  return { line, kills, failure };
}

class Play {
  kills = 0;
  launches = 0;
  /** Launches that found the run in the hands of one that was killed. */
  busy = 0;
  readonly #plan: CopyPlan;
  readonly #scene: CopyScene;
  readonly #source: Side;
  readonly #target: Side;
  readonly #meant = new Map<string, Sight>();
  #watcher: Watcher | null = null;

  constructor(plan: CopyPlan, scene: CopyScene) {
    const [from, to] = plan.way.split("-to-");
    this.#plan = plan;
    this.#scene = scene;
    this.#source = from === "s3" ? new BucketSide(scene.source) : new FolderSide(scene.path("from"));
    this.#target = to === "s3" ? new BucketSide(scene.target) : new FolderSide(scene.path("to"));
  }

  get looks(): number {
    return this.#watcher?.looks ?? 0;
  }

  async run(): Promise<void> {
    await this.#fill();
    this.#trouble();
    const watcher = new Watcher(this.#target, this.#meant);
    this.#watcher = watcher;
    const payments = new Payments([this.#scene.near, this.#scene.far]);
    const kills = [...this.#plan.kills];
    let whole = new Set<string>();
    for (let ended: Outcome | null = null; ended === null; ) {
      expect(this.launches < LAUNCHES, () => "the command does not come to its end");
      const outcome = await this.#launch(kills, watcher);
      expect(!(outcome.out + outcome.err).includes(SECRET), () => "the secret was printed");
      // A request that a killed process sent last is read by the proxy later, and is not one of the next launch.
      await Promise.all([this.#scene.near.whenLeft(), this.#scene.far.whenLeft()]);
      const again = payments.audit(whole);
      expect(again.length === 0, () => `paid for without need:\n  ${again.slice(0, 10).join("\n  ")}`);
      // What its killed process had asked for last may have come about since: it counts as not yet there.
      whole = new Set((await this.#target.look()).keys());
      if (outcome.code === 0) ended = outcome;
      else expect(this.#mayEndSo(outcome), () => `ended with ${outcome.code}: ${outcome.out}${outcome.err}`);
      if (ended !== null) this.#count(ended);
    }
    await watcher.stop();
    expect(watcher.wrong.length === 0, () => watcher.wrong.slice(0, 10).join("\n  "));
    await this.#compare();
  }

  async close(): Promise<void> {
    await this.#watcher?.stop();
  }

  async #fill(): Promise<void> {
    const random = new Random(this.#plan.seed).fork("content");
    const names = random.fork("names");
    for (const [n, size] of this.#plan.sizes.entries()) {
      const odd = names.chance(0.1) ? names.pick([" and space", "+plus", "%25", "ü", "&<>'\"", "#?"]) : "";
      const key = `${names.pick(["a", "b/c", "d/e/f"])}/object-${n}${odd}`;
      const body = Buffer.alloc(size, `${random.next()}`);
      this.#meant.set(key, sightOf(body));
      await this.#source.put(key, body);
    }
  }

  /** Requests fail at random, but never so often that one is tried in vain. */
  #trouble(): void {
    const { seed, faulty } = this.#plan;
    for (const [name, proxy] of [
      ["near", this.#scene.near],
      ["far", this.#scene.far],
    ] as const) {
      const random = new Random(seed).fork(name);
      proxy.decide = ({ method }: Asked) =>
        random.int(1, 1000) <= faulty ? drawFault(random, method === "PUT") : null;
    }
  }

  async #launch(kills: Kill[], watcher: Watcher): Promise<Outcome> {
    this.launches++;
    const running = this.#scene.start(...this.#argv());
    const [kill] = kills;
    if (kill !== undefined && (await this.#moment(kill, running, watcher))) {
      kills.shift();
      this.kills++;
      running.child.kill(kill.signal);
    }
    return await running.ended;
  }

  #argv(): string[] {
    const [from, to] = this.#plan.way.split("-to-");
    return [
      "copy",
      from === "s3" ? `s3://${this.#scene.source.bucket}` : join(this.#scene.folder, "from"),
      to === "s3" ? `s3://${this.#scene.target.bucket}` : join(this.#scene.folder, "to"),
      ...(from === "s3" ? ["--from-profile", "near"] : []),
      ...(to === "s3" ? ["--to-profile", "far"] : []),
      ...this.#plan.flags,
      "--json",
    ];
  }

  /** Waits for the moment; false when the command ended first. */
  async #moment({ progress, afterMs }: Kill, running: Running, watcher: Watcher): Promise<boolean> {
    const gone = new AbortController();
    void once(running.child, "exit").then(() => gone.abort());
    while (!gone.signal.aborted && watcher.progress < progress) await sleep(3);
    await sleep(afterMs, undefined, { signal: gone.signal }).catch(() => {});
    return !gone.signal.aborted;
  }

  /** Killed, stopped, or too early: the lease of a killed one still holds. */
  #mayEndSo({ signal, code, err }: Outcome): boolean {
    if (signal !== null || code === 130) return true;
    if (!/at work|under way|another process/i.test(err)) return false;
    this.busy++;
    return true;
  }

  #count({ out }: Outcome): void {
    const { state, read, written, unchanged, skipped, quarantined } = JSON.parse(
      out.trim().split("\n").at(-1) ?? "",
    );
    const count = this.#meant.size;
    expect(
      state === "succeeded" && read === count && written + unchanged === count && skipped + quarantined === 0,
      () => `of ${count} objects: ${out}`,
    );
  }

  /** Both sides are equal, byte by byte, and nothing is left behind. */
  async #compare(): Promise<void> {
    const seen = await this.#target.look();
    expect(seen.size === this.#meant.size, () => `${seen.size} objects of ${this.#meant.size} are there`);
    for (const [key, meant] of this.#meant) {
      const body = await this.#target.read(key);
      expect(body.length === meant.size && md5(body) === meant.md5, () => `${key} is not what it was`);
    }
    const left = await this.#target.leftovers();
    expect(left.length === 0, () => `left behind: ${left.slice(0, 10).join(", ")}`);
  }
}
