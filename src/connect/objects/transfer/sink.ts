import { rm } from "node:fs/promises";
import type {
  Chunk,
  ChunkSizing,
  OpenSink,
  Sink,
  SinkContext,
  WriteOutcome,
  Writer,
} from "../../../batch/contract.ts";
import type { Json } from "../../../store/contract.ts";
import type { ChecksumThreads } from "../compare/checksum-threads.ts";
import type { ObjectEntry, ObjectReader, ObjectWriter } from "../contract.ts";
import type { ChecksumCache } from "../files/checksum-cache.ts";
import { retryRequest } from "../http/retry-request.ts";
import type { NameComparison } from "../names/case-folding.ts";
import { NameRegistry } from "../names/name-registry.ts";
import type { ResolvedLocation } from "../resolved-location.ts";
import { assertCopiesPresent } from "./copies-present.ts";
import { CopyWriter, dryRun } from "./copy-writer.ts";
import { MemoryBudget } from "./memory-budget.ts";
import type { TransferContext } from "./transfer.ts";
import type { Transformer } from "./transformer.ts";
import { hasBegun, WrittenLog } from "./written-log.ts";

interface Locations {
  readonly from: ResolvedLocation;
  readonly to: ResolvedLocation;
}

export interface SinkOptions {
  readonly reader: () => Promise<ObjectReader>;
  readonly writer: (context: SinkContext) => Promise<ObjectWriter>;
  /** What the two locations are, whatever names lead there. */
  readonly identity: () => Promise<Locations>;
  /** What differs between the two and what they were, in one sentence; null when nothing that matters does. */
  readonly difference: (before: Locations, now: Locations) => string | null;
  /** Whether the target takes names that differ only by case for one; asked once it is ready. */
  readonly foldsNames: () => Promise<boolean>;
  /** What both locations compute checksums with; closed with the sink. */
  readonly checksums: { readonly threads: ChecksumThreads; readonly cache: ChecksumCache };
  /** Remove each object from the source once its copy is safe, which `CopyWriter` knows. */
  readonly move: boolean;
  /** The URL of a module through whose function the bytes go, and how long it may take; null copies them as they are. */
  readonly transform: { readonly module: string; readonly timeoutMs: number } | null;
}

/** Copies the objects of chunks, many at once; an object that the target has already is left alone. */
export class ObjectSink implements Sink<ObjectEntry> {
  readonly #options: SinkOptions;

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  async identity(): Promise<Json> {
    return (await this.#options.identity()) as unknown as Json;
  }

  difference(before: Json, now: Json): string | null {
    return this.#options.difference(before as unknown as Locations, now as unknown as Locations);
  }

  async open(context: SinkContext): Promise<OpenSink<ObjectEntry>> {
    const [reader, writer] = [await this.#options.reader(), await this.#options.writer(context)];
    await writer.prepare(context.dryRun);
    const { move, transform, checksums, foldsNames } = this.#options;
    const { limits, signal } = context;
    const transfer = {
      reader,
      writer,
      checksums: checksums.threads,
      limits,
      signal,
      memory: new MemoryBudget(Math.floor(context.memory / 4)),
      transform: transform === null ? null : await transformer(transform),
    };
    const isRenaming = transform !== null || context.transformed;
    // A dry run gives no names.
    const comparison = isRenaming && !context.dryRun && (await foldsNames()) ? "folded" : "exact";
    return new OpenObjects(transfer, {
      folder: context.folder,
      move,
      nameComparison: isRenaming ? comparison : null,
      cache: checksums.cache,
    });
  }
}

/** Loaded when it is needed: most copies have no transform, and its pool takes memory. */
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
  /** How the target compares the names that a transform gives; null where each object keeps its name. */
  readonly nameComparison: NameComparison | null;
  readonly cache: ChecksumCache;
}

class OpenObjects implements OpenSink<ObjectEntry> {
  readonly guarantee = "idempotent";
  readonly ordering = { kind: "any" } as const;
  readonly notes: readonly string[] = [];
  /** A checkpoint every few seconds: each object takes time, however small it is. */
  readonly chunkSizing: ChunkSizing = { commitTime: "3s", firstItems: 64 };
  readonly #context: TransferContext;
  readonly #options: OpenOptions;
  #writtenLog: WrittenLog | null = null;
  #names: NameRegistry | null = null;
  /** Whether an earlier process has written objects of this run; null while that is not known. */
  #isResumed: boolean | null = null;

  constructor(context: TransferContext, options: OpenOptions) {
    this.#context = context;
    this.#options = options;
  }

  async writer(): Promise<Writer<ObjectEntry>> {
    const { folder, move, nameComparison } = this.#options;
    this.#isResumed ??= hasBegun(folder);
    const trustsListing = !move && nameComparison === null;
    return new CopyWriter(this.#context, { move, trustsListing, ...this.#files() });
  }

  async dryRun(chunk: Chunk<ObjectEntry>): Promise<WriteOutcome> {
    return await dryRun(chunk, this.#context);
  }

  async finalize(how?: "succeeded" | "given up"): Promise<void> {
    const { folder, move } = this.#options;
    this.#isResumed ??= hasBegun(folder);
    if (how === "succeeded" && this.#isResumed) {
      const { writtenLog, names } = this.#files();
      const { writer, signal } = this.#context;
      await assertCopiesPresent({ folder, writer, writtenLog, names, moved: move, signal });
    }
    this.#closeFiles();
    const { writer, signal } = this.#context;
    await retryRequest(() => writer.removeOrphans(), signal);
    await rm(folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    this.#closeFiles();
    const { reader, writer, transform, checksums } = this.#context;
    await transform?.close();
    await reader.close();
    await writer.close();
    await checksums.close();
    this.#options.cache.close();
  }

  #files(): { writtenLog: WrittenLog; names: NameRegistry | null } {
    const { folder, nameComparison } = this.#options;
    this.#writtenLog ??= new WrittenLog(folder);
    if (nameComparison !== null) this.#names ??= new NameRegistry(folder, nameComparison);
    return { writtenLog: this.#writtenLog, names: this.#names };
  }

  #closeFiles(): void {
    this.#writtenLog?.close();
    this.#writtenLog = null;
    this.#names?.close();
    this.#names = null;
  }
}
