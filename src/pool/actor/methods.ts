/** Never a method of a handle: awaiting the handle would call it. */
const NEVER = new Set(["constructor", "then"]);

/**
 * The names of what can be called on an object: methods of its class and of those it extends, and functions among its
 * own properties. Getters are not run to find out.
 */
export function methodsOf(object: object): string[] {
  const names = new Set<string>();
  const seen = new Set<string>();
  for (
    let at: object | null = object;
    at !== null && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  ) {
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      // What hides a method of the same name further up hides it here too.
      if (seen.has(name)) continue;
      seen.add(name);
      if (typeof descriptor.value === "function" && !NEVER.has(name)) names.add(name);
    }
  }
  return [...names];
}
