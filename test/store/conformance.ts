import { afterEach, beforeEach, describe } from "node:test";
import type { Store } from "../../src/store/index.ts";
import { leases } from "./conformance/leases.ts";
import { line } from "./conformance/line.ts";
import { processes } from "./conformance/processes.ts";
import { quarantine } from "./conformance/quarantine.ts";
import { runs } from "./conformance/runs.ts";
import { settling } from "./conformance/settling.ts";
import { sweeping } from "./conformance/sweeping.ts";
import { waking } from "./conformance/waking.ts";
import type { TestClock } from "./test-clock.ts";

export interface StoreUnderTest {
  /** Empty, and by the test's clock. */
  readonly store: Store;
  /** Opens the same place once more, as another process would. */
  reopen(): Promise<Store>;
  readonly clock: TestClock;
  /** Closes what was opened and removes the place. */
  cleanup(): Promise<void>;
}

/** Gives the tests a store of their own each. */
export type Current = () => StoreUnderTest;

/** What every driver of the store must do. */
export function storeConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store in ${name}`, () => {
    let under: StoreUnderTest;
    beforeEach(async () => {
      under = await open();
    });
    afterEach(async () => {
      await under.cleanup();
    });
    for (const part of [line, leases, settling, sweeping, waking, runs, quarantine, processes])
      part(() => under);
  });
}
