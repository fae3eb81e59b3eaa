import { availableParallelism } from "node:os";
import { assertObject, shown } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { BucketRate, Claim, Lease, Store } from "../../store/contract.ts";
import type { WakeUpSignal } from "../wake-up-signal.ts";
import type { HeldAttempts } from "./held-attempts.ts";

/** With tasks claimed ahead, how often a slot that becomes free is offered to tasks with a rate limit first. */
const BUCKETS_MS = 20;

/** What all slot groups of a worker have in common. */
export interface Claiming {
  readonly store: Pick<Store, "claim" | "concurrent">;
  readonly worker: string;
  readonly leaseMs: number;
  /** Tasks that are claimed ahead of a free slot. */
  readonly prefetch: number;
  /** Rate-limit buckets of which tasks are claimed as well. */
  readonly buckets?: readonly BucketRate[] | undefined;
  /** Begins what was claimed. */
  readonly attempts: HeldAttempts;
  /** Woken when there may be more to claim. */
  readonly wakeUp: WakeUpSignal;
  readonly report: (error: unknown) => void;
}

/**
 * Queues that share slots: claims tasks, also ahead of free slots where `prefetch` says so, and begins them in the
 * order of the claims.
 */
export class SlotGroup {
  readonly queues: readonly string[];
  readonly slots: number;
  readonly #claiming: Claiming;
  /** Half of what is claimed ahead is claimed while the other half is worked on. */
  readonly #inHalves: boolean;
  /** Attempts that run. */
  #running = 0;
  /** Slots that are kept free for a claim from buckets that is under way. */
  #reserved = 0;
  /** Tasks that a claim under way asked for. */
  #coming = 0;
  /** Claimed ahead, in order. */
  readonly #ahead: Claim[] = [];
  /** When a free slot is next offered to the buckets. */
  #nextBuckets = 0;
  /** Claims that run beside the worker's loop. */
  readonly #beside = new Set<Promise<void>>();
  #stopped = false;

  constructor({ queues, slots }: QueuesOfGroup, claiming: Claiming) {
    this.queues = queues;
    this.slots = slots;
    this.#claiming = claiming;
    this.#inHalves = claiming.prefetch > 0 && claiming.store.concurrent;
  }

  /** Claims as many tasks as there is room for. True when there were fewer. */
  async claim(): Promise<boolean> {
    if (this.#stopped) return false;
    const { buckets, prefetch } = this.#claiming;
    if (buckets === undefined) return await this.#claim(this.#room());
    if (prefetch === 0) return await this.#claim(this.#room(), buckets);
    let hasFreeSlots = false;
    const free = this.slots - this.#running;
    // A task with a rate limit is claimed when it can begin: of tasks claimed ahead too many would begin at once.
    if (free > 0 && this.#bucketsAreDue()) {
      this.#nextBuckets = performance.now() + BUCKETS_MS;
      this.#reserved = free;
      try {
        hasFreeSlots = await this.#claim(free, buckets);
      } finally {
        this.#reserved = 0;
      }
    }
    this.#fill();
    return (await this.#claim(this.#room())) || hasFreeSlots;
  }

  /** Takes back a claim that has not begun. */
  withdraw({ id, fence }: Lease): Claim | undefined {
    const at = this.#ahead.findIndex((claim) => claim.id === id && claim.fence === fence);
    return at < 0 ? undefined : this.#ahead.splice(at, 1)[0];
  }

  /** Begins no more tasks: hands back those claimed ahead, and those of a claim under way. */
  stop(): void {
    this.#stopped = true;
    this.#fill();
  }

  /** Resolves when no claim runs beside the worker's loop. */
  async quiet(): Promise<void> {
    while (this.#beside.size > 0) await Promise.all(this.#beside);
  }

  async #claim(n: number, buckets?: readonly BucketRate[]): Promise<boolean> {
    if (n === 0) return false;
    const { store, leaseMs, worker, attempts } = this.#claiming;
    const request = { queues: this.queues, n, leaseMs, worker };
    this.#coming += n;
    const claiming = store.claim(buckets === undefined ? request : { ...request, buckets });
    const claims = await claiming.finally(() => {
      this.#coming -= n;
    });
    // All claims are held before the first begins: a handler that does not yield must not keep the others from being
    // renewed.
    if (claims.length > 0) attempts.hold(claims);
    if (buckets !== undefined && this.#reserved > 0) {
      this.#reserved = 0;
      this.#ahead.unshift(...claims);
    } else this.#ahead.push(...claims);
    const hasFreeSlots = claims.length < n;
    if (!hasFreeSlots && buckets === undefined) this.#claimBeside();
    this.#fill();
    return hasFreeSlots;
  }

  /**
   * Claims more while the tasks of the last claim begin and end, so that neither this process nor the store waits for the
   * other. Runs beside the worker's loop, so that it does not delay other slot groups.
   */
  #claimBeside(): void {
    const { attempts, wakeUp, report } = this.#claiming;
    const n = this.#inHalves ? this.#roomBeside() : 0;
    if (n === 0 || this.#stopped || attempts.areBehind) return;
    const claimed = this.#claim(n)
      .catch(report)
      .then(() => {
        this.#beside.delete(claimed);
        wakeUp.wake();
      });
    this.#beside.add(claimed);
  }

  /** Begins what was claimed ahead while there are free slots. */
  #fill(): void {
    const { attempts } = this.#claiming;
    while (this.#ahead.length > 0 && (this.#running + this.#reserved < this.slots || this.#stopped)) {
      const claim = this.#ahead.shift() as Claim;
      if (this.#stopped) attempts.handBack(claim);
      else {
        this.#running++;
        attempts.begin(claim, this.#freed);
      }
    }
  }

  /** An attempt is over. */
  readonly #freed = (): void => {
    this.#running--;
    const bucketsAreDue = this.#bucketsAreDue();
    if (!bucketsAreDue) this.#fill();
    if (bucketsAreDue || this.#roomAhead() > 0) this.#claiming.wakeUp.wake();
  };

  /** With tasks claimed ahead no slot would ever be free for tasks with a rate limit: one is left free from time to time. */
  #bucketsAreDue(): boolean {
    const { buckets, prefetch } = this.#claiming;
    return buckets !== undefined && prefetch > 0 && performance.now() >= this.#nextBuckets;
  }

  /** How many tasks to claim now. */
  #room(): number {
    const room = this.#roomAhead();
    return this.#inHalves ? Math.min(room, this.#half()) : room;
  }

  /** How many tasks there is room for. Those claimed ahead are refilled when half of them are gone. */
  #roomAhead(): number {
    const { prefetch } = this.#claiming;
    const ahead = this.#ahead.length + this.#coming;
    const free = this.slots - this.#running - ahead;
    if (prefetch === 0 || free > 0) return Math.max(0, free + prefetch);
    return ahead * 2 <= prefetch ? prefetch - ahead : 0;
  }

  /** How many tasks are claimed at a time where one half can be claimed while the other half is worked on. */
  #half(): number {
    return Math.ceil((this.slots + this.#claiming.prefetch) / 2);
  }

  /** How many to claim while those that were just claimed begin; none where that would be few. */
  #roomBeside(): number {
    const half = this.#half();
    const room = this.slots + this.#claiming.prefetch - this.#running - this.#ahead.length - this.#coming;
    return room * 2 >= half ? Math.min(room, half) : 0;
  }
}

/**
 * Names of queues that share the slots of a worker; or the number of slots of each queue, so that a full queue never
 * delays another.
 */
export type Queues = readonly string[] | Readonly<Record<string, number>>;

/** Queues that share slots: claimed from together, and never more at once than there are slots. */
export interface QueuesOfGroup {
  readonly queues: readonly string[];
  readonly slots: number;
}

/** Throws a PawlError `worker.queues` where there is no queue or no slot. */
export function slotGroupsOf(queues: Queues, concurrency: number = availableParallelism()): QueuesOfGroup[] {
  assertObject(queues, "The queues of a worker");
  const groups = Array.isArray(queues)
    ? [{ queues: queues as readonly string[], slots: concurrency }]
    : Object.entries(queues as Readonly<Record<string, number>>).map(([queue, slots]) => ({
        queues: [queue],
        slots,
      }));
  for (const { slots, queues: names } of groups) {
    if (names.length > 0 && Number.isSafeInteger(slots) && slots >= 1) continue;
    throw new PawlError(
      "worker.queues",
      `A worker needs queues, each with a whole number of slots of at least 1, not ${shown(queues)}.`,
    );
  }
  if (groups.length === 0)
    throw new PawlError("worker.queues", "A worker needs at least one queue to claim from.");
  return groups;
}
