import { hash } from "node:crypto";
import { ItemError, PawlError } from "../../../errors.ts";
import { Pool, TimeLimitError } from "../../../pool/index.ts";
import { sizeText } from "../../../sizes.ts";
import { contentTypeOf } from "../content-headers.ts";
import type { ObjectEntry, ObjectInfo, OpenObject, Transformed } from "../contract.ts";
import { type ObjectTransform, readWhole, type TransferContext } from "./transfer.ts";
import { callTransform, transformProblem } from "./transform-call.ts";
import type { WrittenObject } from "./written-log.ts";

interface TransformedObject {
  readonly bytes: Buffer;
  readonly key: string;
  readonly contentType: string | null;
}

/** An object that is transformed is held whole. */
const LARGEST = 128 * 1024 * 1024;

/**
 * Runs the function that a module exports by default over the bytes of objects, in processes of their own: what such a
 * function calls is often native code, which can hang, leak and crash.
 */
export class Transformer implements ObjectTransform {
  readonly #module: string;
  readonly #timeoutMs: number;
  readonly #pool: Pool;

  private constructor(module: string, timeoutMs: number) {
    this.#module = module;
    this.#timeoutMs = timeoutMs;
    this.#pool = new Pool({ isolate: "process" });
  }

  /**
   * Loads the module, whose URL is given, in a first process. Throws one sentence where it has no such function. A call that
   * takes longer than `timeoutMs` is ended with its process.
   */
  static async open(module: string, timeoutMs: number): Promise<Transformer> {
    const made = new Transformer(module, timeoutMs);
    const problem = await made.#problem();
    if (problem === null) return made;
    await made.close();
    throw new PawlError("copy.transform", `The transform ${module} ${problem}.`);
  }

  async #problem(): Promise<string | null> {
    const limit = { timeout: this.#timeoutMs };
    try {
      return await this.#pool.submitWith(limit, transformProblem, this.#module).result();
    } catch (error) {
      if (hasDied(error)) return "ended its process while it was imported";
      if (error instanceof TimeLimitError)
        return `took longer than ${this.#timeoutMs / 1000} s to be imported`;
      throw error;
    }
  }

  async transfer(
    entry: ObjectEntry,
    context: TransferContext,
    give: (key: string) => void,
  ): Promise<WrittenObject | null> {
    const open = await context.reader.open(entry);
    try {
      // An object without a size may be as large as any.
      const size = open.size ?? entry.size ?? LARGEST;
      if (size > LARGEST)
        throw new ItemError(
          `it has ${size} bytes, too many to be transformed (${sizeText(LARGEST)} at most)`,
          { code: "copy.transform" },
        );
      return await context.memory.hold(size, async () => {
        const { bytes } = await readWhole(open, size);
        const contentType = open.properties.headers["content-type"] ?? contentTypeOf(entry.key);
        const made = await this.#call(bytes, { key: entry.key, contentType });
        return made === null ? null : await this.#write(made, { entry, open, context, give });
      });
    } finally {
      await open.close();
    }
  }

  async #write(
    made: TransformedObject,
    {
      entry,
      open,
      context,
      give,
    }: {
      readonly entry: ObjectEntry;
      readonly open: OpenObject;
      readonly context: TransferContext;
      readonly give: (key: string) => void;
    },
  ): Promise<WrittenObject> {
    const { writer, limits, signal } = context;
    const { bytes, key, contentType } = made;
    const problem = writer.nameProblem(key);
    if (problem !== null)
      throw new ItemError(`the transform calls it ${key}: ${problem}`, { code: "copy.refused" });
    give(key);
    const type = contentType === null ? {} : { "content-type": contentType };
    const properties = { ...open.properties, headers: { ...open.properties.headers, ...type } };
    await limits.pass(bytes.length, signal);
    const details = { size: bytes.length, modified: open.modified, etag: null, properties };
    await writer.put({ ...entry, key }, bytes, hash("md5", bytes), details);
    return { size: bytes.length, version: open.version };
  }

  /** Throws an ItemError with what the function threw. */
  async #call(bytes: Uint8Array, about: ObjectInfo): Promise<TransformedObject | null> {
    let given: Transformed;
    try {
      const limit = { timeout: this.#timeoutMs };
      given = await this.#pool.submitWith(limit, callTransform, this.#module, bytes, about).result();
    } catch (error) {
      if (hasDied(error))
        throw new ItemError("the transform ended its process", { code: "copy.transform", cause: error });
      if (error instanceof TimeLimitError)
        throw new ItemError(`the transform took longer than ${this.#timeoutMs / 1000} s`, {
          code: "copy.transform",
          cause: error,
        });
      const why = error instanceof Error ? error.message : String(error);
      throw new ItemError(`the transform threw: ${why}`, { code: "copy.transform", cause: error });
    }
    if (given === null || given === undefined) return null;
    const result = given instanceof Uint8Array ? { bytes: given } : given;
    if (!(result.bytes instanceof Uint8Array))
      throw new ItemError("the transform returned neither bytes nor { bytes }", { code: "copy.transform" });
    for (const name of ["key", "contentType"] as const) {
      if (!["string", "undefined"].includes(typeof (result[name] ?? undefined)))
        throw new ItemError(`the transform returned a ${name} that is not a text`, {
          code: "copy.transform",
        });
    }
    if (!/^[\t\x20-\x7e\xa0-\xff]*$/.test(result.contentType ?? ""))
      throw new ItemError("the transform returned a contentType that no header can hold", {
        code: "copy.transform",
      });
    const { buffer, byteOffset, length } = result.bytes;
    return {
      bytes: Buffer.from(buffer, byteOffset, length),
      key: result.key ?? about.key,
      contentType: result.contentType ?? about.contentType,
    };
  }

  async close(): Promise<void> {
    await this.#pool.terminate();
  }
}

function hasDied(error: unknown): boolean {
  return error instanceof PawlError && error.code === "pool.worker-died";
}
