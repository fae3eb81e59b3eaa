const { prototype } = Object;

/** Whether a value is to be waited for. What all objects inherit, because somebody gave them a `then`, says nothing of it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null || !("then" in value)) return false;
  return typeof value.then === "function" && value.then !== (prototype as { then?: unknown }).then;
}
