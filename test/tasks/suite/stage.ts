import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { openStore, type Store, type TaskRecord } from "../../../src/store/index.ts";
import {
  type Client,
  connect,
  type RunningWorker,
  type StartOptions,
  startWorker,
} from "../../../src/tasks/index.ts";

/** An empty store somewhere, and the way to remove it. */
export interface Place {
  readonly address: string;
  cleanup(): Promise<void>;
}

export type OpenPlace = () => Promise<Place>;

/** A store of its own for one test, with a client and workers; all gone when the test ends. */
export class Stage implements AsyncDisposable {
  readonly address: string;
  readonly store: Store;
  readonly client: Client;
  /** A folder for files. */
  readonly folder: string;
  readonly #place: Place;
  readonly #workers: RunningWorker[] = [];

  private constructor(place: Place, store: Store, folder: string) {
    this.#place = place;
    this.address = place.address;
    this.store = store;
    this.client = connect(store);
    this.folder = folder;
  }

  static async open(open: OpenPlace): Promise<Stage> {
    const place = await open();
    return new Stage(place, await openStore(place.address), await mkdtemp(join(tmpdir(), "pawl-stage-")));
  }

  /** A worker in the test's own process, with a store connection of its own. */
  async work(options: StartOptions = {}): Promise<RunningWorker> {
    const worker = await startWorker({
      store: this.address,
      queues: { default: 4 },
      onError: () => {},
      ...options,
    });
    this.#workers.push(worker);
    return worker;
  }

  async task(id: string): Promise<TaskRecord> {
    const [task] = await this.store.query({ ids: [id] });
    if (task === undefined) throw new Error(`There is no task ${id}.`);
    return task;
  }

  /** The task once it satisfies a condition; the test runner's time limit is the only one. */
  async until(id: string, condition: (task: TaskRecord) => boolean): Promise<TaskRecord> {
    for (;;) {
      const [task] = await this.store.query({ ids: [id] });
      if (task !== undefined && condition(task)) return task;
      await sleep(10);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await worker.stop({ drain: 0 });
    await this.store.close();
    await this.#place.cleanup();
    await rm(this.folder, { recursive: true, force: true });
  }
}
