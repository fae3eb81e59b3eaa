import { assertObject, assertText } from "../../arguments.ts";
import { PawlError } from "../../errors.ts";
import type { Client } from "../client/client.ts";
import { defaultClient } from "../client/default-client.ts";
import type { TaskHandle } from "../client/handle.ts";
import { take } from "../client/stored-value.ts";
import type {
  AnyTask,
  Anything,
  AttemptContext,
  Definition,
  EnqueueManyOptions,
  EnqueueOptions,
  Handler,
  LinkOptions,
  Maps,
  Task,
  TaskOptions,
} from "../contract.ts";
import type { Composed, Link } from "../flow/link.ts";
import type { LinkSpec } from "../flow/spec.ts";
import { define, onlyOptions, timing } from "./definition.ts";
import { register } from "./registry.ts";
import type { Schema, SchemaInput, SchemaOutput } from "./schema.ts";

/**
 * Defines a task. Its name is what the store knows it by; define it at the top level of a module that every worker
 * imports. The handler is given the input as its schema parsed it, and a context. Throws a PawlError that names the
 * option when one is wrong, and when there is a task of that name.
 */
export function task<S extends Schema, Out, M extends Maps<SchemaInput<S>> = Record<never, never>>(
  options: TaskOptions<SchemaInput<S>, M> & { readonly input: S },
  handler: (input: SchemaOutput<S>, context: AttemptContext) => Out | Promise<Out>,
): Task<SchemaInput<S>, Out, M>;
export function task<In, Out, M extends Maps<In> = Record<never, never>>(
  options: TaskOptions<In, M> & { readonly input?: undefined },
  handler: (input: In, context: AttemptContext) => Out | Promise<Out>,
): Task<In, Out, M>;
export function task(
  options: TaskOptions<unknown, Maps<unknown>> & { readonly input?: Schema | undefined },
  handler: (input: never, context: AttemptContext) => unknown,
): AnyTask {
  assertObject(options, "The options of a task");
  const made = new DefinedTask(define(options, options.input ?? null, handler as Handler));
  register(made);
  return made;
}

const LINK_OPTIONS = ["delay", "priority", "queue", "expires"];

class DefinedTask implements AnyTask {
  readonly definition: Definition;

  constructor(definition: Definition) {
    this.definition = definition;
  }

  get name(): string {
    return this.definition.name;
  }

  enqueue(input?: unknown, options?: EnqueueOptions): Promise<TaskHandle<Anything>> {
    return this.#client.enqueue(this, input, options);
  }

  enqueueMany(
    inputs: Iterable<unknown> | AsyncIterable<unknown>,
    options?: EnqueueManyOptions<unknown>,
  ): Promise<{ count: number; created: number }> {
    return this.#client.enqueueMany(this, inputs, options);
  }

  with(input: unknown, options: LinkOptions = {}): Link<Anything, Anything> {
    onlyOptions(options, LINK_OPTIONS, `a link to task "${this.name}"`);
    const taken = take(input, `The input of task "${this.name}"`);
    return linkTo({ ...this.#spec(options), input: taken });
  }

  via(name: string, options: LinkOptions & { readonly with?: unknown } = {}): Link<Anything, Anything> {
    assertText(name, `The name that task "${this.name}" is given in via`);
    if (!Object.hasOwn(this.definition.maps, name)) {
      throw new PawlError(
        "task.via",
        `Task "${this.name}" has no function named "${name}" in its maps: add it there.`,
      );
    }
    onlyOptions(options, [...LINK_OPTIONS, "with"], `a link to task "${this.name}"`);
    const argument =
      options.with === undefined ? {} : { argument: take(options.with, `The with of task "${this.name}"`) };
    return linkTo({ ...this.#spec(options), via: name, ...argument });
  }

  compose(): Composed {
    return { node: [this.#spec({})], streamed: null };
  }

  get #client(): Client {
    return defaultClient();
  }

  #spec(options: LinkOptions): LinkSpec {
    const { definition } = this;
    if (definition.unique !== null) {
      throw new PawlError(
        "task.unique-link",
        `Task "${this.name}" is unique, so a flow could wait for one that is never stored: make a task of another name for the flow.`,
      );
    }
    return { name: this.name, ...timing(definition, options) };
  }
}

function linkTo(spec: LinkSpec): Link<Anything, Anything> {
  return { compose: () => ({ node: [spec], streamed: null }) };
}
