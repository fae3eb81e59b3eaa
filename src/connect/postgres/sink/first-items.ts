import type { Failure } from "../../../batch/contract.ts";
import { PawlError } from "../../../errors.ts";

/**
 * Tells a transform that is wrong from one that is wrong about some items: where nothing has been written yet and all items of a chunk are
 * refused by one sentence that speaks of the table, each further one would be.
 */
export class FirstItems {
  #fit = false;

  /** Throws the sentence by which all of several items were refused, unless other items could be written before. */
  judge(items: number, failures: readonly Failure[]): void {
    if (items > failures.length) this.#fit = true;
    const [first] = failures;
    if (this.#fit || items < 2 || first?.code?.startsWith("postgres.") !== true) return;
    if (failures.every(({ reason }) => reason === first.reason))
      throw new PawlError(first.code, first.reason);
  }
}
