import { setTimeout as sleep } from "node:timers/promises";
import type { Fault, FaultKind, Moment } from "./faults.ts";
import type { Ground } from "./ground.ts";
import type { Ended, Loader, LoaderAim } from "./loader.ts";
import { expect, Mismatch } from "./mismatch.ts";
import { endOf, reasonOf, resultOf, type Summary } from "./result.ts";
import { takeOver } from "./takeover.ts";

/** How long a dead loader may be taken for a living one: its lease, and time for a slow machine. */
const BUSY_MS = 15_000;
const ATTEMPTS = 60;

/** Gives one command again and again while faults strike it, until it ends by itself. */
export class Drive {
  /** The faults that struck, in order; one whose moment never came is not among them. */
  readonly struck: FaultKind[] = [];
  launches = 0;
  /** Loads that gave up because the server had failed, or because a task had been killed too often. */
  readonly gaveUp: string[] = [];
  summary: Summary | null = null;
  readonly #stage: Ground;
  readonly #launch: (aim: LoaderAim | null) => Loader;
  readonly #finished: () => Promise<Summary | null>;
  #loader: Loader | null = null;
  /** Loaders that were stopped, went on, and may still be alive. */
  readonly #strays: Loader[] = [];
  #serverFailed = false;
  #busySince: number | null = null;

  /**
   * `launch` gives the command; it does the same work every time. `finished` finds the summary of a run that came to its
   * end when the process that should have told so was killed.
   */
  constructor(
    stage: Ground,
    launch: (aim: LoaderAim | null) => Loader,
    finished: () => Promise<Summary | null>,
  ) {
    this.#stage = stage;
    this.#launch = launch;
    this.#finished = finished;
  }

  /** Lets the faults strike one after the other, then lets the command come to its end. */
  async run(faults: readonly Fault[]): Promise<Summary> {
    for (const fault of faults) {
      for (let attempt = 0; this.summary === null; attempt++) {
        expect(attempt < ATTEMPTS, () => "the command neither works nor ends");
        const loader = await this.#current(aimOf(fault));
        if (loader && (await this.#strike(fault, loader))) break;
      }
    }
    for (let attempt = 0; this.summary === null; attempt++) {
      expect(attempt < ATTEMPTS, () => "the command does not come to its end");
      const loader = await this.#current(null);
      if (loader) await this.#settle(loader, await loader.end());
    }
    for (const other of this.#loader ? [...this.#strays, this.#loader] : this.#strays) await other.end();
    return this.summary;
  }

  /** The loader at work, or a new one; null when one that had been stopped came to an end instead. */
  async #current(aim: LoaderAim | null): Promise<Loader | null> {
    if (this.#loader) return this.#loader;
    // One that came to its end unseen may have done it all: given once more, the command would begin again from the start.
    const stray = this.#strays.shift();
    if (stray) {
      await this.#settle(stray, await stray.end());
      return null;
    }
    this.#loader = this.#start(aim);
    return this.#loader;
  }

  #start(aim: LoaderAim | null): Loader {
    this.launches++;
    return this.#launch(aim);
  }

  /** False when the loader ended before the moment came. */
  async #strike(fault: Fault, loader: Loader): Promise<boolean> {
    // Were the first of two done before the second looks, that one would rightly begin from the start.
    const old = Date.now() - loader.startedAt > 200;
    if (fault.kind === "twin" && (old || (await this.#stage.progress()) > 0.3)) return true;
    const reached = loader.aimed
      ? loader.atPoint()
      : fault.kind === "twin" || this.#reached(fault.when, loader);
    if (!(await reached)) {
      await this.#settle(loader, await loader.end());
      return false;
    }
    if (fault.kind === "stop" || fault.kind === "freeze") {
      // Stopped before it holds anything it may, later, rightly begin the work from the start.
      loader.signal("SIGSTOP");
      if (!this.#stage.holdsLease(loader)) {
        loader.signal("SIGCONT");
        return true;
      }
    }
    this.struck.push(fault.kind);
    switch (fault.kind) {
      case "kill":
      case "point":
        loader.signal("SIGKILL");
        await this.#settle(loader, await loader.end());
        break;
      case "interrupt":
        loader.signal("SIGINT");
        await this.#settle(loader, await loader.end(30_000));
        break;
      case "backends":
        this.#serverFailed = true;
        await this.#stage.endBackends();
        break;
      case "restart":
        this.#serverFailed = true;
        await this.#stage.server.stop("immediate");
        await sleep(fault.pauseMs);
        await this.#stage.server.start();
        break;
      case "twin": {
        await sleep(fault.pauseMs);
        const twin = this.#start(null);
        const ended = await twin.end();
        // What the first one came to counts, should the second have begun after it was done.
        if (!loader.alive) await this.#settle(loader, await loader.end());
        await this.#settle(twin, ended);
        break;
      }
      case "stop":
      case "freeze": {
        const { next, summary } = await takeOver(this.#stage, loader, fault, () => this.#start(null));
        this.#strays.push(loader);
        this.#loader = next;
        this.summary ??= summary;
        break;
      }
    }
    return true;
  }

  /** Waits for the moment; false when the loader ended first. */
  async #reached({ progress, afterMs }: Moment, loader: Loader): Promise<boolean> {
    let since = progress === null ? loader.startedAt : null;
    while (loader.alive) {
      if (since === null && (await this.#stage.progress()) >= (progress ?? 0)) since = Date.now();
      if (since !== null && Date.now() >= since + afterMs) return loader.alive;
      await sleep(since === null ? 4 : Math.max(0, Math.min(5, since + afterMs - Date.now())));
    }
    return false;
  }

  /** Takes note of how a loader ended, and fails where it should not have ended so. */
  async #settle(loader: Loader, ended: Ended): Promise<void> {
    if (loader === this.#loader) this.#loader = null;
    await loader.expectNoDescendants();
    const result = resultOf(ended);
    if (result.kind !== "busy") this.#busySince = null;
    switch (result.kind) {
      case "done":
        expect(ended.signal !== null || ended.code === (result.summary.quarantined > 0 ? 3 : 0), () =>
          endOf(ended),
        );
        this.summary ??= result.summary;
        return;
      case "busy":
        return await this.#waitForOthers(ended);
      case "interrupted":
        // Killed between the end of the run and its last line: only the store can tell that it is done.
        this.summary ??= await this.#finished();
        return;
      case "worn":
      case "failed":
        expect(this.#serverFailed || result.kind === "worn", () => endOf(ended));
        this.gaveUp.push(reasonOf(ended));
    }
  }

  /** The command says that the work is under way: true only while a process works on it, or did a moment ago. */
  async #waitForOthers(ended: Ended): Promise<void> {
    const other = this.#loader ?? this.#strays.find(({ alive }) => alive);
    if (other) {
      await this.#settle(other, await other.end());
      return;
    }
    this.#busySince ??= Date.now();
    if (Date.now() - this.#busySince > BUSY_MS) {
      throw new Mismatch(`no process is at work, yet the command says otherwise: ${ended.stderr}`);
    }
    await sleep(200);
  }
}

/** The point at which a loader that begins with this fault is to end or to stop by itself. */
function aimOf({ kind, point }: Fault): LoaderAim | null {
  if (kind === "point") return { point, signal: "SIGKILL" };
  return kind === "freeze" ? { point, signal: "SIGSTOP" } : null;
}
