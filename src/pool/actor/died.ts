import { PawlError } from "../../errors.ts";

/** The actor died while it ran the call, or before it could. What it knew since the last save is lost. */
export class ActorDiedError extends PawlError {
  override readonly name = "ActorDiedError";
}
