import { test } from "node:test";
import { fc } from "../../random.ts";
import type { StoreUnderTest } from "../conformance.ts";
import { clockCommands, commands, type Model } from "./commands.ts";
import { ModelStore } from "./model-store.ts";

/**
 * Random sequences of operations by several workers, with clocks that jump, held against a model. On failure
 * fast-check prints the seed and the shortest sequence that fails; `PAWL_SEED` runs a seed again, `PAWL_RUNS` more.
 */
export function modelSuite(
  name: string,
  open: () => Promise<StoreUnderTest>,
  options: {
    /** Whether the clocks are those of a machine: one can be set, and one begins again at its start. */
    readonly clocksJump: boolean;
    readonly runs?: number;
  },
): void {
  test(`the store in ${name} does what the model does, whatever the workers and the clocks do`, async () => {
    const all = options.clocksJump ? [...commands, ...clockCommands] : commands;
    await fc.assert(
      fc.asyncProperty(fc.commands(all, { maxCommands: 80, size: "max" }), async (steps) => {
        const { store, reopen, clock, cleanup } = await open();
        try {
          const model: Model = { store: new ModelStore(clock), clock, leases: [] };
          const stores = [store, await reopen()] as const;
          await fc.asyncModelRun(() => ({ model, real: { stores, turn: 0 } }), steps);
        } finally {
          await cleanup();
        }
      }),
      { numRuns: Number(process.env.PAWL_RUNS ?? options.runs ?? 40) },
    );
  });
}
