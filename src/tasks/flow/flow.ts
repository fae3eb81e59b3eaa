import { assertObject, shown } from "../../arguments.ts";
import { errorText } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { defaultClient } from "../client/default-client.ts";
import type { TaskHandle } from "../client/handle.ts";
import type { Flow, FlowOptions } from "../contract.ts";
import type { GroupResults } from "./group-results.ts";
import {
  type AnyLink,
  type Composed,
  composed,
  type InOf,
  type Link,
  nodeOf,
  type OutOf,
  PASS,
  passIn,
  queueOf,
  type Streamed,
} from "./link.ts";
import type { LinkSpec, NodeSpec, StageSpec } from "./spec.ts";

/** Which members of a group may fail: see the option `policy` of a group. */
export type Policy = "failFast" | "wait" | { readonly atLeast: number };

/** When the callback of a group runs. */
export interface GroupOptions {
  /**
   * `failFast`: the first failure cancels the other members, and what follows is dead. `wait`: what follows runs when all
   * members have ended, also after failures. `atLeast(n)`: it runs when all have ended, if `n` of them succeeded.
   * @default "failFast"
   */
  readonly policy?: Policy;
}

/**
 * The policy of a group after which the flow continues if at least `n` members succeeded.
 *
 * @throws PawlError `flow.at-least` where `n` is not a whole number of at least 0
 * @example
 * ```ts
 * const ask = task({ name: "ask" }, (host: string) => `${host}: up`);
 * await group([ask.with("a"), ask.with("b"), ask.with("c")], { policy: atLeast(2) }).enqueue();
 * ```
 */
export function atLeast(n: number): Policy {
  if (!Number.isSafeInteger(n) || n < 0)
    throw new PawlError("flow.at-least", `atLeast takes a whole number, not ${shown(n)}.`);
  return { atLeast: n };
}

/**
 * Tasks and flows one after the other: each gets the result of the one before it.
 *
 * @throws PawlError `flow.empty` without links, `flow.link` for what is not a task or a flow, `flow.stream` where a group that reads
 *   its members from an iterable is not the first link
 * @example
 * ```ts
 * const read = task({ name: "read" }, (file: string) => [file.length]);
 * const sum = task({ name: "sum" }, (lengths: number[]) => lengths.reduce((total, length) => total + length, 0));
 * const handle = await chain(read, sum).enqueue("report.csv");
 * console.log(await handle.result());
 * ```
 */
export function chain<A, B>(first: Link<A, B>): Flow<A, B>;
export function chain<A, B, C>(first: Link<A, B>, second: Link<B, C>): Flow<A, C>;
export function chain<A, B, C, D>(first: Link<A, B>, second: Link<B, C>, third: Link<C, D>): Flow<A, D>;
export function chain<A, B, C, D, E>(
  first: Link<A, B>,
  second: Link<B, C>,
  third: Link<C, D>,
  fourth: Link<D, E>,
): Flow<A, E>;
export function chain<A, B, C, D, E, F>(
  first: Link<A, B>,
  second: Link<B, C>,
  third: Link<C, D>,
  fourth: Link<D, E>,
  fifth: Link<E, F>,
): Flow<A, F>;
export function chain<A, B, C, D, E, F, G>(
  first: Link<A, B>,
  second: Link<B, C>,
  third: Link<C, D>,
  fourth: Link<D, E>,
  fifth: Link<E, F>,
  sixth: Link<F, G>,
): Flow<A, G>;
export function chain(...links: readonly AnyLink[]): Flow<never, unknown> {
  if (links.length === 0) throw new PawlError("flow.empty", "A chain needs at least one link.");
  return new Composition(joined(links.map(composed)));
}

/**
 * Tasks and flows in parallel: each member gets the result of what comes before the group. The result of the group is
 * `GroupResults`, those of all. At the beginning of a flow the members may be an iterable of any length, which is read as it is
 * stored.
 *
 * @throws PawlError `flow.link` for what is not a task or a flow, `flow.at-least` where fewer members than `atLeast(n)` asks for are
 *   given, `flow.policy` for a policy that is not known
 * @example
 * ```ts
 * const shrink = task({ name: "shrink" }, (file: string) => `${file}.small`);
 * const handle = await group([shrink.with("a.png"), shrink.with("b.png")]).enqueue();
 * for await (const file of await handle.result()) console.log(file);
 * ```
 */
export function group<const M extends readonly AnyLink[]>(
  members: M,
  options?: GroupOptions,
): Flow<InOf<M[number]>, GroupResults<OutOf<M[number]>>>;
export function group<R>(
  members: Iterable<Link<unknown, R>> | AsyncIterable<Link<unknown, R>>,
  options?: GroupOptions,
): Flow<unknown, GroupResults<R>>;
export function group(
  members: Iterable<AnyLink> | AsyncIterable<AnyLink>,
  options: GroupOptions = {},
): Flow<never, GroupResults<unknown>> {
  return new Composition(groupOf(members, options)) as Flow<never, GroupResults<unknown>>;
}

/**
 * A group and its callback, `chain(group(members), callback)`: the callback runs once, when the members have ended, and gets their
 * results.
 *
 * @throws PawlError as `group` and `chain`
 * @example
 * ```ts
 * const count = task({ name: "count" }, (file: string) => file.length);
 * const total = task({ name: "total" }, async (counts: AsyncIterable<number>) => {
 *   let sum = 0;
 *   for await (const each of counts) sum += each;
 *   return sum;
 * });
 * await chord([count.with("a.csv"), count.with("b.csv")], total).enqueue();
 * ```
 */
export function chord<const M extends readonly AnyLink[], Out>(
  members: M,
  callback: Link<GroupResults<OutOf<M[number]>>, Out>,
  options?: GroupOptions,
): Flow<InOf<M[number]>, Out>;
export function chord<R, Out>(
  members: Iterable<Link<unknown, R>> | AsyncIterable<Link<unknown, R>>,
  callback: Link<GroupResults<R>, Out>,
  options?: GroupOptions,
): Flow<unknown, Out>;
export function chord(
  members: Iterable<AnyLink> | AsyncIterable<AnyLink>,
  callback: AnyLink,
  options: GroupOptions = {},
): Flow<never, unknown> {
  return new Composition(joined([groupOf(members, options), composed(callback)]));
}

class Composition implements Flow<never, unknown> {
  readonly #composed: Composed;

  constructor(composed: Composed) {
    this.#composed = composed;
  }

  compose(): Composed {
    return this.#composed;
  }

  enqueue(input?: unknown, options?: FlowOptions): Promise<TaskHandle<unknown>> {
    return defaultClient().enqueueFlow(this as Flow<unknown, unknown>, input, options);
  }
}

/** A group that is not followed by a link yet: its callback passes the results on. */
function groupOf(members: Iterable<AnyLink> | AsyncIterable<AnyLink>, options: GroupOptions): Composed {
  assertObject(options, "The options of a group");
  const { policy } = options;
  const need = needOf(policy);
  if (!Array.isArray(members)) {
    // The program can change a set until it is read.
    const given = members instanceof Set ? [...members] : members;
    return {
      node: null,
      streamed: { members: readOnce(given), need, callback: null, queue: null, after: [] },
    };
  }
  const nodes = members.map((member: AnyLink) => nodeOf(member));
  if (typeof need === "number" && need > nodes.length) {
    throw new PawlError(
      "flow.at-least",
      `A group of ${nodes.length} members cannot have ${need} that succeed: lower atLeast.`,
    );
  }
  return { node: [{ members: nodes, need, callback: passIn(queueOf(nodes[0])) }], streamed: null };
}

/** Generators and streams whose members have been read. */
const spent = new WeakSet<object>();

/**
 * The same members. A generator that is read a second time gives nothing, so a flow that is stored again would silently
 * lack its members: the second reading throws the PawlError `flow.spent`.
 */
function readOnce(members: Iterable<AnyLink> | AsyncIterable<AnyLink>): AsyncIterable<AnyLink> {
  return {
    async *[Symbol.asyncIterator]() {
      if (spent.has(members)) {
        throw new PawlError(
          "flow.spent",
          "The members of this group have been read already, and a generator gives them once: make the flow again, or give the group something that can be read twice.",
        );
      }
      if (isIterator(members)) spent.add(members);
      yield* members;
    },
  };
}

/** Whether it is its own iterator, such as a generator, or a stream: it can be read once. */
function isIterator(members: Iterable<AnyLink> | AsyncIterable<AnyLink>): boolean {
  const given = Object(members);
  if (!(Symbol.iterator in given || Symbol.asyncIterator in given)) {
    throw new PawlError(
      "flow.link",
      `The members of a group must be something to iterate over, not ${errorText(members, 60)}: write group([task.with(input)]).`,
    );
  }
  if (members instanceof ReadableStream) return true;
  return typeof given.next === "function";
}

function needOf(policy: Policy = "failFast"): "all" | number {
  if (policy === "failFast") return "all";
  if (policy === "wait") return 0;
  if (typeof policy === "object" && policy !== null && Number.isSafeInteger(policy.atLeast))
    return policy.atLeast;
  throw new PawlError("flow.policy", 'The policy of a group must be "failFast", "wait" or atLeast(n).');
}

/**
 * Puts chains end to end. A task that follows a group becomes its callback, in place of the one that passes the
 * results on.
 */
function joined(parts: readonly Composed[]): Composed {
  const [first, ...rest] = parts as [Composed, ...Composed[]];
  let node: NodeSpec = first.node ?? [];
  let { streamed } = first;
  for (const part of rest) {
    const next = nodeOf({ compose: () => part });
    if (streamed !== null) streamed = followStream(streamed, next);
    else node = followNode(node, next);
  }
  return streamed === null ? { node, streamed: null } : { node: null, streamed };
}

function followNode(node: NodeSpec, next: NodeSpec): NodeSpec {
  const last = node.at(-1);
  const [head, ...tail] = next;
  if (last === undefined || head === undefined || !("members" in last) || last.callback.name !== PASS)
    return [...node, ...next];
  if (!canBeCallback(head)) return [...node, ...next];
  return [...node.slice(0, -1), { ...last, callback: head }, ...tail];
}

/**
 * Whether a link can be the callback of a group. A link with a delay or an expiry cannot: these count from the end of the
 * group, so the link is stored only then, by a callback that passes the results on.
 */
function canBeCallback(stage: StageSpec): stage is LinkSpec {
  return !("members" in stage) && stage.delayMs === undefined && stage.expiresMs === undefined;
}

function followStream(streamed: Streamed, next: NodeSpec): Streamed {
  const [head, ...tail] = next;
  if (
    streamed.callback === null &&
    streamed.after.length === 0 &&
    head !== undefined &&
    canBeCallback(head)
  ) {
    return { ...streamed, callback: head, after: tail };
  }
  return { ...streamed, after: followNode(streamed.after, next) };
}
