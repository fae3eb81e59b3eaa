import type { AnyFunction } from "../callable.ts";

/** A function that a module of Node exports. */
export interface NodeExport {
  /** Such as `readFile`. */
  readonly name: string;
  /** Such as `node:fs/promises`. */
  readonly module: string;
}

/** Those with functions that somebody might well pass to a pool. */
const MODULES = [
  ..."fs/promises path fs crypto zlib util os url child_process dns/promises dns timers/promises".split(" "),
  ..."timers buffer querystring stream/promises stream/consumers v8 vm".split(" "),
];

/** Where Node exports the function; null for any other. Looks through much: ask only about what is refused anyway. */
export function exportOfNode(fn: AnyFunction): NodeExport | null {
  for (const module of MODULES) {
    // Reading the values themselves would set off warnings about deprecated ones.
    const exported = Object.getOwnPropertyDescriptors(process.getBuiltinModule(module) ?? {});
    for (const [name, { value }] of Object.entries<PropertyDescriptor>(exported)) {
      if (value === fn) return { name, module: `node:${module}` };
    }
  }
  return null;
}
