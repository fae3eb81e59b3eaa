import type { Failure } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";

/**
 * Tells a transform that is wrong from one that is wrong about some items: where no item could be written yet, and all items of a chunk
 * are refused by one sentence about the table, each further item would be refused too, so that the run fails instead.
 */
export class TransformCheck {
  #someFit = false;

  /** Throws the sentence by which all of several items were refused, unless other items could be written before. */
  assertSomeFit(items: number, failures: readonly Failure[]): void {
    if (items > failures.length) this.#someFit = true;
    const [first] = failures;
    if (this.#someFit || items < 2 || first?.code?.startsWith("postgres.") !== true) return;
    if (failures.every(({ reason }) => reason === first.reason))
      throw new PawlError(first.code, first.reason);
  }
}
