import { createHash } from "node:crypto";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AnyLink, type Composed, type Link, nodeOf, type Streamed } from "./link.ts";
import type { NodeSpec } from "./spec.ts";

/** Characters of members that are kept in memory; more go to a file. */
const MOST_IN_MEMORY = 4 * 1024 * 1024;

/**
 * The members of a group, read to the end before the first is stored: only then is it known whether another attempt has
 * stored the same members. What exceeds a bound is in a temporary file, so that memory stays small.
 */
export class Spool implements Link<unknown, unknown>, AsyncDisposable {
  readonly #streamed: Streamed;
  readonly #digest = createHash("sha256");
  #lines: string[] = [];
  #characters = 0;
  #folder: string | undefined;
  #file: FileHandle | undefined;

  private constructor(streamed: Streamed) {
    this.#streamed = streamed;
  }

  /** Reads all members. Throws what reading them throws. */
  static async of(streamed: Streamed): Promise<Spool> {
    const spool = new Spool(streamed);
    try {
      for await (const link of streamed.members) await spool.#add(nodeOf(link as AnyLink));
    } catch (error) {
      await spool[Symbol.asyncDispose]();
      throw error;
    }
    return spool;
  }

  /** The same for the same group, and for no other. */
  identity(): string {
    const { need, callback, queue, after } = this.#streamed;
    return JSON.stringify([this.#digest.copy().digest("base64url"), need, callback, queue, after]);
  }

  /** The group again, with its members as they were read. */
  compose(): Composed {
    return { node: null, streamed: { ...this.#streamed, members: this.#members() } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file?.close();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  async #add(node: NodeSpec): Promise<void> {
    // A reader of lines takes these two for ends of lines, which JSON does not escape.
    const line = JSON.stringify(node).replace(/[\u2028\u2029]/g, (end) =>
      end === "\u2028" ? "\\u2028" : "\\u2029",
    );
    this.#digest.update(line).update("\n");
    this.#lines.push(line);
    this.#characters += line.length;
    if (this.#characters > MOST_IN_MEMORY) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#file === undefined) {
      this.#folder = await mkdtemp(join(tmpdir(), "pawl-group-"));
      this.#file = await open(join(this.#folder, "members"), "wx+", 0o600);
    }
    await this.#file.appendFile(this.#lines.map((line) => `${line}\n`).join(""));
    this.#lines = [];
    this.#characters = 0;
  }

  async *#members(): AsyncGenerator<AnyLink> {
    if (this.#file !== undefined) {
      if (this.#lines.length > 0) await this.#flush();
      for await (const line of this.#file.readLines({ start: 0, autoClose: false })) yield linkOf(line);
    }
    for (const line of this.#lines) yield linkOf(line);
  }
}

function linkOf(line: string): AnyLink {
  const node = JSON.parse(line) as NodeSpec;
  return { compose: () => ({ node, streamed: null }) };
}
