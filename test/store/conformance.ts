import { afterEach, beforeEach, describe } from "node:test";
import type { Store } from "../../src/store/index.ts";
import { attempts } from "./conformance/attempts.ts";
import { claiming } from "./conformance/claiming.ts";
import { clockSetBack } from "./conformance/clock-set-back.ts";
import { damage } from "./conformance/damage.ts";
import { expiring } from "./conformance/expiring.ts";
import { extremes } from "./conformance/extremes.ts";
import { following } from "./conformance/following.ts";
import { groups } from "./conformance/groups.ts";
import { leases } from "./conformance/leases.ts";
import { limiting } from "./conformance/limiting.ts";
import { overseeing } from "./conformance/overseeing.ts";
import { processes } from "./conformance/processes.ts";
import { pruning } from "./conformance/pruning.ts";
import { quarantine } from "./conformance/quarantine.ts";
import { queues } from "./conformance/queues.ts";
import { runs } from "./conformance/runs.ts";
import { scheduling } from "./conformance/scheduling.ts";
import { selecting } from "./conformance/selecting.ts";
import { settling } from "./conformance/settling.ts";
import { snapshots } from "./conformance/snapshots.ts";
import { sweeping } from "./conformance/sweeping.ts";
import { uniqueness } from "./conformance/uniqueness.ts";
import { waking } from "./conformance/waking.ts";
import type { TestClock } from "./test-clock.ts";

export interface StoreUnderTest {
  /** Empty, and by the test's clock. */
  readonly store: Store;
  /** Opens the same place once more, as another process would. */
  reopen(): Promise<Store>;
  readonly clock: TestClock;
  /** Writes a text into a column of a task, as another program could that may write where the store is. */
  overwrite(id: string, column: "payload" | "progress" | "result" | "meta", text: string): Promise<void>;
  /** Closes what was opened and removes the place. */
  cleanup(): Promise<void>;
}

/** Gives the tests a store of their own each. */
export type Current = () => StoreUnderTest;

/** What every driver of the store must do, and what this one must do besides. */
export function storeConformance(
  name: string,
  open: () => Promise<StoreUnderTest>,
  ...more: readonly ((current: Current) => void)[]
): void {
  describe(`the store in ${name}`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(async () => {
      await under.cleanup();
    });
    const parts = [
      claiming,
      leases,
      settling,
      sweeping,
      clockSetBack,
      waking,
      following,
      groups,
      uniqueness,
      expiring,
      limiting,
      extremes,
      snapshots,
      damage,
    ];
    parts.push(attempts, queues, pruning, selecting, overseeing, scheduling, runs, quarantine, processes);
    for (const part of [...parts, ...more]) part(() => under);
  });
}
