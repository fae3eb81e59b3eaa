import type { Isolation } from "../portable.ts";
import type { FromWorker } from "./protocol.ts";

/** The worker's end of the line to its parent. */
export interface Line<From = FromWorker> {
  readonly isolation: Isolation;
  post(message: From): void;
  /** Whether anything can still be sent. */
  isOpen(): boolean;
  /** Bytes this worker uses. */
  memory(): number;
  /** Ends the worker. */
  end(): void;
}
