import type { Claim, Settlement, TaskResult } from "../../store/contract.ts";

/** One attempt at a claimed task, from its beginning until its result is in the store. */
export class Attempt {
  readonly claim: Claim;
  /** Aborts when the attempt should end; its signal is made when it is first asked for. */
  readonly stop = new AbortController();
  /** What the handler wrote, for people. */
  log: string | undefined;
  /** Gives the result that counts instead, where something came up after the handler had ended. */
  revised: (() => TaskResult | undefined) | undefined;
  /** The task is not known here. */
  isUnknown = false;
  /** Resolves when it has ended. */
  ended: Promise<void> | undefined;

  constructor(claim: Claim) {
    this.claim = claim;
  }

  /** How a result is settled. Asked for once, when it goes to the store for the first time. */
  settlement(result: TaskResult): Settlement {
    const { id, fence } = this.claim;
    const settled = { id, fence, result: this.revised?.() ?? result };
    return this.log === undefined ? settled : { ...settled, log: this.log };
  }
}
