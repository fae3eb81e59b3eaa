import { PawlError } from "../../../errors.ts";
import { own } from "../../../own.ts";
import type { NodeExport } from "./known-globals.ts";
import type { OuterReference } from "./outer-context.ts";
import type { ShadowedGlobal } from "./shadowed-globals.ts";

const EXPORT = "export the function with callable(import.meta, …)";

/** Names that a compiler puts into functions, and how to have it leave them alone. */
const HELPERS: readonly (readonly [name: RegExp, remedy: string])[] = [
  [/^__name\d*$/, "which a bundler puts in to keep the names of functions: turn its keepNames option off"],
  [
    /^(__(async|awaiter|await|generator|forAwait|asyncGenerator|yieldStar|asyncValues|asyncDelegator|values|read|rest|assign|spread|spreadArray|spreadValues|spreadProps|objRest|pow|template|using|callDispose|addDisposableResource|disposeResources|publicField|defNormalProp|private\w+|classPrivate\w+|decorate\w*|param|metadata|superGet|superSet|superWrapper)|_(asyncToGenerator|objectSpread|objectWithoutProperties|toConsumableArray|slicedToArray|classCallCheck|createClass|defineProperty))\d*$/,
    "which a compiler puts in for older engines: set its target to node24",
  ],
  [/^cov_[0-9a-z]+$/, "which a tool puts in to measure coverage: let Node measure it, with NODE_V8_COVERAGE"],
];

const MEANINGS: Readonly<Record<string, string>> = {
  this: "take the object as an item",
  super: "call the method in a class of the module",
  "new.target": "leave it out",
  arguments: "write (...args) => … and use args",
  "import.meta": "pass what it gives with the items or with init",
  eval: "leave it out",
};

/** Why a function cannot go to a worker, each in one sentence with what to do. */
export class InlineErrors {
  readonly #caller: string;

  /** `caller` is what the function was passed to, such as `pool.map`. */
  constructor(caller: string) {
    this.#caller = caller;
  }

  noFunction(given: unknown): PawlError {
    const what =
      given === null ? "null" : Array.isArray(given) ? "an array" : `a value of type ${typeof given}`;
    return new PawlError(
      "pool.not-a-function",
      `${this.#caller} was given ${what} in place of the function: pass a function such as (item) => ….`,
    );
  }

  /** `path` is such as `Math.sqrt`. */
  builtIn(path: string): PawlError {
    const call = isConstructor(path) ? `new ${path}(x)` : `${path}(x)`;
    return this.#error(
      "pool.native",
      `is ${path}, which is built in and has no source to send: write x => ${call}.`,
    );
  }

  exportOfNode({ name, module }: NodeExport): PawlError {
    const imported = `(await import("${module}"))`;
    const call = /^[A-Z]/.test(name) ? `new ${imported}.${name}(x)` : `${imported}.${name}(x)`;
    return this.#error(
      "pool.native",
      `is ${name} of ${module}, the source of which means nothing outside of Node: write async (x) => ${call}, or ${EXPORT}.`,
    );
  }

  native(name: string): PawlError {
    const what = name.startsWith("bound ") ? "is bound with bind()" : "is native or a proxy";
    return this.#error(
      "pool.native",
      `${what}, so that its source is not to be had: write an arrow function that makes the call, or ${EXPORT}.`,
    );
  }

  class(name: string): PawlError {
    return this.#error(
      "pool.class",
      `is ${name ? `the class ${name}` : "a class"}, which cannot be called: write a function that makes the object, and ${EXPORT.replace("the function", "it")}.`,
    );
  }

  generator(): PawlError {
    return this.#error(
      "pool.generator",
      "is a generator, which cannot hand its values over one by one: return an array.",
    );
  }

  unreadable(problem: string): PawlError {
    return this.#error(
      "pool.unreadable",
      `cannot be read as strict code (${problem}): fix that, or ${EXPORT}.`,
    );
  }

  outerReference(found: OuterReference): PawlError {
    if (found.kind === "import") {
      return this.#error(
        "pool.relative-import",
        `imports "${found.specifier}", but a worker does not know which file that is relative to: import a package or a file:// URL, or ${EXPORT}.`,
      );
    }
    if (found.kind.startsWith("#")) {
      return this.#error(
        "pool.lexical",
        `uses the private name ${found.kind} of a class around it, which does not reach a worker: pass the value with the items, or ${EXPORT}.`,
      );
    }
    if (found.kind === "eval") {
      return this.#error(
        "pool.lexical",
        `calls eval(), and what that code uses from outside cannot be seen: leave it out, or ${EXPORT}.`,
      );
    }
    return this.#error(
      "pool.lexical",
      `uses ${found.kind}, which means something only where the function was written: ${own(MEANINGS, found.kind)}, or ${EXPORT}.`,
    );
  }

  /** `names` are in the order of the text. */
  captured(names: readonly string[]): PawlError {
    const written = names.filter((name) => helper(name) === undefined);
    const [first] = names;
    if (written.length === 0 && first !== undefined) {
      return this.#error("pool.captured", `uses "${first}", ${helper(first)}, or ${EXPORT}.`);
    }
    const [are, do_, them] = written.length === 1 ? ["is", "does", "it"] : ["are", "do", "them"];
    return this.#error(
      "pool.captured",
      `uses ${listed(written)}, which ${are} defined outside of it and ${do_} not reach a worker: pass ${them} with the items or with init, or ${EXPORT}.`,
    );
  }

  shadowedGlobal({ name, module }: ShadowedGlobal): PawlError {
    return this.#error(
      "pool.captured",
      `uses "${name}" of ${module}, in place of which a worker has another ${name}, a global of Node: write const { … } = await import("${module}") in the function, or ${EXPORT}.`,
    );
  }

  #error(code: string, rest: string): PawlError {
    return new PawlError(code, `The function passed to ${this.#caller} ${rest}`);
  }
}

function helper(name: string): string | undefined {
  return HELPERS.find(([pattern]) => pattern.test(name))?.[1];
}

function listed(names: readonly string[]): string {
  return new Intl.ListFormat("en-GB").format(names.map((name) => `"${name}"`));
}

/** As far as names tell. */
function isConstructor(path: string): boolean {
  return /^[A-Z]\w*$/.test(path) && !["BigInt", "Boolean", "Number", "String", "Symbol"].includes(path);
}
