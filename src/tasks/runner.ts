import type { Claim, Json, Lease, Settlement, TaskRecord } from "../store/contract.ts";

export interface TaskContext {
  /**
   * Aborted when the task should end: its reason is a CancelledError, a StoppedError (the worker stops; throw, and
   * the task goes back in line) or a LostError (another worker has the task).
   */
  readonly signal: AbortSignal;
  /** The claim; its fence guards writes elsewhere. */
  readonly lease: Lease;
  /**
   * Stores how far the task is, durably, and forgives earlier crashes. Throws a LostError when another worker has
   * the task, and a TransientError when the store cannot be written just now.
   */
  progress(value: Json): Promise<void>;
}

/** The work of a task. What it returns is the result; what it throws decides what becomes of the task. */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler without a result is the usual one
export type Handler = (task: TaskRecord, context: TaskContext) => Promise<Json | void>;

/** What becomes of a claim once an attempt is over. */
export interface Ending extends Omit<Settlement, keyof Lease> {
  /** Nobody here knows this task. */
  readonly unknown?: true;
  /** Asked when it is on its way to the store: what became of it instead, if something came to light since. */
  late?: () => Ending | undefined;
}

/**
 * Makes one attempt at a claimed task. Never rejects. Undefined when there is nothing to settle, because another worker
 * has the task. `stop` is aborted with the reasons of `TaskContext.signal`, and its signal is made when it is first asked
 * for; the runner may abort it as well.
 */
export type Runner = (claim: Claim, stop: AbortController) => Promise<Ending | undefined>;
