import { PawlError } from "../errors.ts";

/** Thrown by a handler when trying again cannot help: the task becomes a dead letter at once. */
export class PermanentError extends PawlError {
  override readonly name = "PermanentError";

  constructor(message: string, options?: ErrorOptions & { code?: string }) {
    super(options?.code ?? "task.permanent", message, options);
  }
}

/** Thrown by a handler to hand its task back without blame. */
export class Snooze extends Error {
  override readonly name = "Snooze";
  /** Milliseconds until it may be claimed again; null holds it until it is released. */
  readonly delayMs: number | null;

  constructor(delayMs: number | null) {
    super("The task was handed back.");
    this.delayMs = delayMs;
  }
}

/** The reason of a task's signal when somebody asked to cancel the task. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";

  constructor() {
    super("The task was asked to stop for good.");
  }
}

/** The reason of a task's signal when its worker stops; the task goes back in line. */
export class StoppedError extends Error {
  override readonly name = "StoppedError";

  constructor() {
    super("The worker is stopping.");
  }
}
