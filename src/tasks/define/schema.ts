import { withoutFullStop } from "../../error-text.ts";
import { PawlError } from "../../errors.ts";
import { GroupResults } from "../flow/group-results.ts";

/** A schema of zod, valibot, arktype or any other library that follows https://standardschema.dev */
export interface Schema<Input = unknown, Output = Input> {
  /** What the specification of Standard Schema asks for; the library provides it. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Validation<Output> | Promise<Validation<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a schema takes. */
export type SchemaInput<S extends Schema> = NonNullable<S["~standard"]["types"]>["input"];
/** What a schema parses its input to. */
export type SchemaOutput<S extends Schema> = NonNullable<S["~standard"]["types"]>["output"];

type Validation<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly Issue[] };

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** As many of the things that are wrong as one sentence can hold. */
const MOST = 3;

/**
 * Parses an input. The results of a group are not plain data that a schema could parse, and stay as they are. Throws a PawlError
 * `task.input` that names the task, the places, and what is wrong there.
 */
export async function parseInput<Output>(
  schema: Schema<unknown, Output>,
  value: unknown,
  name: string,
): Promise<Output | GroupResults<unknown>> {
  if (value instanceof GroupResults) return value;
  const validated = schema["~standard"].validate(value);
  const result = validated instanceof Promise ? await validated : validated;
  if (result.issues === undefined) return result.value;
  const said = result.issues.slice(0, MOST).map(sentence).join("; ");
  const more = result.issues.length > MOST ? `; and ${result.issues.length - MOST} more` : "";
  throw new PawlError("task.input", `The input of task "${name}" is not what it takes: ${said}${more}.`);
}

function sentence({ message, path }: Issue): string {
  const place = path?.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
  const words = withoutFullStop(message);
  // Some say the place themselves.
  return place && !words.startsWith(place.split(".", 1)[0] ?? "") ? `${place}: ${words}` : words;
}
