import { rm } from "node:fs/promises";
import type { Chunk, OpenSink, Sink, SinkContext, WriteOutcome, Writer } from "../../../batch/contract.ts";
import type { Json } from "../../../store/contract.ts";
import type { Hashing } from "../compare/checksum-threads.ts";
import type { ObjectEntry, ReadPlace, WritePlace } from "../contract.ts";
import type { KnownSums } from "../files/checksum-cache.ts";
import { patiently } from "../http/retry.ts";
import type { Location } from "../location.ts";
import { assertStillThere } from "../verify/copies-present.ts";
import { ObjectWriter, rehearsed } from "./copy-writer.ts";
import { MemoryGate } from "./memory-budget.ts";
import { Taken } from "./name-registry.ts";
import type { Ways } from "./transfer.ts";
import type { Transformer } from "./transformer.ts";
import { Done, hasBegun } from "./written-log.ts";

interface Places {
  readonly from: Location;
  readonly to: Location;
}

export interface SinkOptions {
  readonly reader: () => Promise<ReadPlace>;
  readonly writer: (context: SinkContext) => Promise<WritePlace>;
  /** What the two places are, whatever names lead there. */
  readonly identity: () => Promise<Places>;
  /** What differs between the two and what they were, in one sentence; null when nothing that matters does. */
  readonly difference: (before: Places, now: Places) => string | null;
  /** What both places take checksums with; ended with the sink. */
  readonly sums: { readonly hashing: Hashing; readonly known: KnownSums };
  /** Remove each object from the source once its copy is safe. */
  readonly move: boolean;
  /** The URL of a module through whose function the bytes go, and how long it may take; null copies them as they are. */
  readonly transform: { readonly module: string; readonly timeoutMs: number } | null;
}

/** Copies the objects that a chunk names, many at once; what is there already as it should be is left alone. */
export class ObjectSink implements Sink<ObjectEntry> {
  readonly #options: SinkOptions;

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  async identity(): Promise<Json> {
    return (await this.#options.identity()) as unknown as Json;
  }

  difference(before: Json, now: Json): string | null {
    return this.#options.difference(before as unknown as Places, now as unknown as Places);
  }

  async open(context: SinkContext): Promise<OpenSink<ObjectEntry>> {
    const [reader, writer] = [await this.#options.reader(), await this.#options.writer(context)];
    await writer.prepare(context.dryRun);
    const { move, transform, sums } = this.#options;
    const { limits, signal } = context;
    const ways = {
      reader,
      writer,
      hashing: sums.hashing,
      limits,
      signal,
      memory: new MemoryGate(Math.floor(context.memory / 4)),
      transform: transform === null ? null : await transformer(transform),
    };
    return new OpenObjects(ways, {
      folder: context.folder,
      move,
      renames: transform !== null || context.stepped,
      known: sums.known,
    });
  }
}

/** Most copies have no transform, and what it is run by takes memory. */
async function transformer({
  module,
  timeoutMs,
}: NonNullable<SinkOptions["transform"]>): Promise<Transformer> {
  const { Transformer } = await import("./transformer.ts");
  return await Transformer.open(module, timeoutMs);
}

interface OpenOptions {
  /** What the run keeps on this machine. */
  readonly folder: string;
  readonly move: boolean;
  /** A step or a transform may give names. */
  readonly renames: boolean;
  readonly known: KnownSums;
}

class OpenObjects implements OpenSink<ObjectEntry> {
  readonly guarantee = "idempotent";
  readonly ordering = { kind: "any" } as const;
  readonly notes: readonly string[] = [];
  /** A checkpoint every few seconds: objects are what takes time, however large they are. */
  readonly pace = { commitMs: 3000, firstItems: 64 };
  readonly #ways: Ways;
  readonly #options: OpenOptions;
  #done: Done | null = null;
  #taken: Taken | null = null;
  /** Whether other processes have been at work on the run before this one; null while nobody has asked. */
  #isResumed: boolean | null = null;

  constructor(ways: Ways, options: OpenOptions) {
    this.#ways = ways;
    this.#options = options;
  }

  async writer(): Promise<Writer<ObjectEntry>> {
    const { folder, move, renames } = this.#options;
    this.#isResumed ??= hasBegun(folder);
    return new ObjectWriter(this.#ways, { move, trusts: !move && !renames, ...this.#files() });
  }

  async rehearse(chunk: Chunk<ObjectEntry>): Promise<WriteOutcome> {
    return await rehearsed(chunk, this.#ways);
  }

  async conclude(how?: "succeeded" | "given up"): Promise<void> {
    const { folder, move } = this.#options;
    this.#isResumed ??= hasBegun(folder);
    if (how === "succeeded" && this.#isResumed) {
      const { done, taken } = this.#files();
      const { writer, signal } = this.#ways;
      await assertStillThere({ folder, writer, done, taken, moved: move, signal });
    }
    this.#closeFiles();
    const { writer, signal } = this.#ways;
    await patiently(() => writer.clear(), signal);
    await rm(folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    this.#closeFiles();
    const { reader, writer, transform, hashing } = this.#ways;
    await transform?.close();
    await reader.close();
    await writer.close();
    await hashing.close();
    this.#options.known.close();
  }

  #files(): { done: Done; taken: Taken | null } {
    const { folder, renames } = this.#options;
    this.#done ??= new Done(folder);
    if (renames) this.#taken ??= new Taken(folder);
    return { done: this.#done, taken: this.#taken };
  }

  #closeFiles(): void {
    this.#done?.close();
    this.#done = null;
    this.#taken?.close();
    this.#taken = null;
  }
}
