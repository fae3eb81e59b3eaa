import { PawlError } from "../../errors.ts";

/** An item or a call ran longer than its hard limit. */
export class TimeLimitError extends PawlError {
  override readonly name = "TimeLimitError";
}
