import { runInNewContext } from "node:vm";
import { own } from "../../../own.ts";
import type { AnyFunction } from "../callable.ts";

/** What Node adds to the language's own globals, without flags, in threads and processes alike. */
const NODE = new Set(
  `AbortController AbortSignal BroadcastChannel Blob Buffer ByteLengthQueuingStrategy CloseEvent CompressionStream
  CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DecompressionStream Event EventTarget File FormData
  Headers MessageChannel MessageEvent MessagePort Navigator Performance PerformanceEntry PerformanceMark
  PerformanceMeasure PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming
  ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest
  ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder
  TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern
  URLSearchParams WebSocket WritableStream WritableStreamDefaultController WritableStreamDefaultWriter atob btoa
  clearImmediate clearInterval clearTimeout crypto fetch global navigator performance process queueMicrotask
  setImmediate setInterval setTimeout structuredClone`.split(/\s+/),
);

let language: ReadonlySet<string> | undefined;

/**
 * Whether every worker has a global of this name. What the program added to its own `globalThis` does not count, even
 * before Pawl was loaded: the language's names are taken from a context that no code has changed.
 */
export function isGlobalOfWorkers(name: string): boolean {
  language ??= new Set(runInNewContext("Object.getOwnPropertyNames(globalThis)") as string[]);
  // `node --no-experimental-websocket` and the like take some away.
  return language.has(name) || (NODE.has(name) && name in globalThis);
}

const HOLDERS = "Math Number JSON Object Array String Date Reflect URL Buffer console".split(" ");

/** Where a function of every worker's globals is, such as `Math.sqrt` or `fetch`; null for any other. */
export function pathOfGlobal(fn: AnyFunction): string | null {
  if (isGlobalOfWorkers(fn.name) && ownValue(globalThis, fn.name) === fn) return fn.name;
  for (const holder of HOLDERS) {
    if (ownValue(ownValue(globalThis, holder), fn.name) === fn) return `${holder}.${fn.name}`;
  }
  return null;
}

function ownValue(holder: unknown, name: string): unknown {
  return holder === undefined || holder === null ? undefined : own(holder as Record<string, unknown>, name);
}

/** A function that a module of Node exports. */
export interface NodeExport {
  /** Such as `readFile`. */
  readonly name: string;
  /** Such as `node:fs/promises`. */
  readonly module: string;
}

/** The modules with functions that a user may well pass to a pool. */
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
