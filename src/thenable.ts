const { prototype } = Object;

/** Whether all objects inherit a `then`, because a program added one: who awaits an object of this thread waits for ever. */
export function inheritsThen(): boolean {
  return typeof (prototype as { then?: unknown }).then === "function";
}

/** Whether a value is to be waited for. A `then` that all objects inherit, because a program added one, does not count. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null || !("then" in value)) return false;
  return typeof value.then === "function" && value.then !== (prototype as { then?: unknown }).then;
}
