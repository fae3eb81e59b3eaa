import { randomBytes } from "node:crypto";
import { isMainThread } from "node:worker_threads";
import { PawlError, TransientError } from "../../../errors.ts";
import { bytes, sizeText } from "../../../sizes.ts";
import type { Isolation } from "../../transfer/cloneable.ts";
import { type HandleState, pack } from "../../transfer/pack.ts";
import { noteMemory, noteMetMemory } from "../memory.ts";
import { LruCache, ReceivedObjects } from "./cache.ts";
import { encode, type ValueLayout } from "./encode.ts";
import { ObjectFiles, readObject, reasonOf } from "./files.ts";
import { ObjectFlags } from "./flags.ts";
import { defaultQuota, isWorker, type ObjectOptions, type ObjectStats } from "./options.ts";
import { leaveToMain, noteForeignFile } from "./private-directory.ts";
import { disposedError, ObjectRef, type Objects, type Ref } from "./ref.ts";
import { removeFiles, StoredObject } from "./stored-object.ts";

/** The name of refs among handles. */
export const REF = "ref";

/**
 * How long a file stays for the thread or process that a forgotten ref was sent to, in milliseconds. It is on its way from a worker to
 * where the ref lives on, which makes the file its own.
 */
const ON_ITS_WAY_MS = 60_000;

/** The objects of one thread. */
export class ObjectStore implements Objects {
  readonly #prefix = randomBytes(8).toString("hex");
  readonly #own = new Set<StoredObject>();
  readonly #known = new Map<string, WeakRef<StoredObject>>();
  /** The ref to each object, while there is one. */
  readonly #refOf = new WeakMap<StoredObject, WeakRef<Ref<unknown>>>();
  readonly #cache = new LruCache();
  readonly #received = new ReceivedObjects(this.#cache);
  readonly #refs = new FinalizationRegistry<StoredObject>((object) => this.#forget(object));
  readonly #objects = new FinalizationRegistry<string>((id) => {
    if (this.#known.get(id)?.deref() === undefined) this.#known.delete(id);
  });
  #quota = defaultQuota();
  readonly #files = new ObjectFiles();
  #count = 0;
  #spills = 0;
  #disposed = 0;
  #leaked = 0;

  configure({ memory, directory }: ObjectOptions): void {
    if (memory !== undefined) this.#quota = bytes(memory, "The memory of configureObjects");
    if (directory !== undefined) this.#files.base = directory;
    this.#trim(null);
  }

  stats(): ObjectStats {
    this.#received.letGo();
    for (const object of this.#own) if (!object.flags.mine) this.#disown(object);
    const own = [...this.#own];
    const sum = (objects: StoredObject[]) => objects.reduce((bytes, object) => bytes + object.fileBytes, 0);
    return {
      refs: own.length,
      bytesInMemory: this.#cache.bytes,
      bytesSpilled: sum(own.filter(({ block, spilled }) => block === null && spilled !== null)),
      bytesPublished: sum(own.filter(({ published }) => published !== null)),
      spills: this.#spills,
      disposed: this.#disposed,
      leaked: this.#leaked,
    };
  }

  put(value: unknown): Ref<unknown> {
    if (holdsShareable(value)) {
      throw new PawlError(
        "pool.put-shareable",
        "put takes data, and in this value there is a SharedArray, Lock, Counter or ref: pass those to the worker beside the ref, or put the data of the SharedArray.",
      );
    }
    const { layout, block, foreign } = encode(value);
    const id = `${this.#prefix}-${++this.#count}`;
    const object = new StoredObject({ id, layout, block, foreign, flags: new ObjectFlags() });
    if (object.canSpill) {
      this.#cache.use(object);
      try {
        this.#trim(object);
      } catch (error) {
        this.#cache.delete(object);
        throw error;
      }
    }
    this.#own.add(object);
    this.#know(object);
    return this.#refTo(object);
  }

  get(ref: unknown): unknown {
    const object = ObjectRef.objectOf(ref);
    if (object.gone) throw disposedError();
    if (object.block === null && object.value() === null) this.#load(object);
    if (this.#cache.has(object)) this.#cache.use(object);
    if (!this.#own.has(object)) this.#received.keep(object);
    return object.value()?.value;
  }

  dispose(object: StoredObject): void {
    this.#refOf.delete(object);
    const own = this.#own.has(object) && object.flags.mine;
    this.#disown(object);
    if (!own) {
      this.#received.delete(object);
      return;
    }
    object.flags.markDisposed();
    object.leaveMemory();
    removeFiles(object.files);
    this.#disposed++;
  }

  handle(object: StoredObject, to: Isolation): HandleState {
    if (object.gone) throw disposedError();
    object.crossed = true;
    const { id, layout, block, foreign } = object;
    if (to === "process") {
      const state: ProcessState = { id, layout, file: this.#files.publish(object), parent: process.ppid };
      return { kind: REF, state };
    }
    const file = block === null ? object.file : null;
    if (file !== null && !isMainThread) leaveToMain();
    const state: ThreadState = { id, layout, flags: object.flags.memory, block, foreign, file };
    return { kind: REF, state };
  }

  revive(state: ThreadState | ProcessState): Ref<unknown> {
    const known = this.#known.get(state.id)?.deref();
    const object = known ?? objectFrom(state);
    if (known === undefined) this.#know(object);
    if (isFromThread(state)) this.#meet(object, state);
    // What a process gets from one that it started becomes its own: that one may be gone soon.
    else if (known === undefined && state.parent === process.pid && this.#files.adopt(object, state.file)) {
      this.#own.add(object);
    }
    if (!this.#own.has(object)) this.#received.keep(object);
    return this.#refTo(object);
  }

  /** The main thread becomes the owner of what it gets from a worker, who may be gone soon. */
  #meet(object: StoredObject, { block, file }: ThreadState): void {
    if (file !== null) noteForeignFile(file);
    if (!this.#own.has(object)) {
      object.block ??= block;
      object.spilled ??= file;
    }
    if (!isMainThread || !object.flags.takeOver()) return;
    if (file !== null) object.files.add(file);
    this.#own.add(object);
    noteMemory(object.block?.byteLength ?? 0);
    if (object.block === null || !object.canSpill) return;
    this.#cache.use(object);
    this.#trimIfPossible(object);
  }

  #know(object: StoredObject): void {
    this.#known.set(object.id, new WeakRef(object));
    this.#objects.register(object, object.id);
  }

  #refTo(object: StoredObject): Ref<unknown> {
    const existing = this.#refOf.get(object)?.deref();
    if (existing !== undefined && !existing.disposed) return existing;
    const ref = new ObjectRef<unknown>(this, object);
    this.#refOf.set(object, new WeakRef(ref));
    this.#refs.register(ref, object);
    return ref;
  }

  /** After a ref became garbage. */
  #forget(object: StoredObject): void {
    if (this.#refOf.get(object)?.deref() !== undefined || !this.#own.has(object)) return;
    this.#disown(object);
    if (!object.flags.mine) return;
    object.flags.markForgotten();
    if (!isWorker || !object.crossed) {
      this.#leaked++;
      removeFiles(object.files);
    } else if (object.files.size > 0) removeLater(object);
  }

  /** Has nothing to do with it any more, as its owner. */
  #disown(object: StoredObject): void {
    this.#own.delete(object);
    this.#cache.delete(object);
  }

  /** Brings what is used least into files until the rest is within the quota. */
  #trim(inUse: StoredObject | null): void {
    for (const object of this.#cache) {
      if (this.#cache.bytes <= this.#quota) return;
      if (object !== inUse) this.#spill(object);
    }
  }

  /** For objects that are there anyway: a full disk is told to who puts the next one. */
  #trimIfPossible(inUse: StoredObject): void {
    try {
      this.#trim(inUse);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
    }
  }

  #spill(object: StoredObject): void {
    const own = this.#own.has(object);
    if (own && !object.flags.mine) {
      this.#disown(object);
      return;
    }
    try {
      this.#files.spill(object);
    } catch (cause) {
      throw new TransientError(
        "pool.objects-full",
        `${sizeText(this.#cache.bytes)} of put objects are more than the quota of ${sizeText(this.#quota)}, and there is no way to spill them to ${this.#files.base} (${reasonOf(cause)}), so that all of them stay in memory and no more can be put: make room there, dispose of refs, or give configureObjects another directory or quota.`,
        { cause },
      );
    }
    this.#cache.delete(object);
    object.leaveMemory();
    if (!own) return;
    object.flags.markSpilled();
    this.#spills++;
  }

  #load(object: StoredObject): void {
    const file = object.file;
    if (file === null) throw disposedError();
    try {
      object.block = readObject(file);
    } catch (cause) {
      if (cause instanceof PawlError) throw cause;
      if (object.gone || !this.#own.has(object)) throw disposedError(cause);
      throw new PawlError(
        "pool.ref-lost",
        `A put object was spilled to ${file}, which cannot be read (${reasonOf(cause)}): put the value again, and keep others from clearing that directory.`,
        { cause },
      );
    }
    this.#cache.use(object);
    this.#trimIfPossible(object);
  }
}

function holdsShareable(value: unknown): boolean {
  try {
    return pack(value, "thread").handles.length > 0;
  } catch (error) {
    // What cannot be cloned is told by who encodes it.
    if (error instanceof DOMException) return false;
    throw error;
  }
}

/** Unless another thread owns it then. Holds on to no more than the names. */
function removeLater({ flags, files }: StoredObject): void {
  setTimeout(() => {
    if (flags.mine) removeFiles(files);
  }, ON_ITS_WAY_MS).unref();
}

/** What crosses to a thread: the memory, or the file where it is not in memory. */
export interface ThreadState {
  readonly id: string;
  readonly layout: ValueLayout;
  readonly flags: SharedArrayBuffer;
  readonly block: SharedArrayBuffer | null;
  readonly foreign: readonly SharedArrayBuffer[];
  readonly file: string | null;
}

/** What crosses to a process. */
export interface ProcessState {
  readonly id: string;
  readonly layout: ValueLayout;
  readonly file: string;
  /** The process that started the one which sends this. */
  readonly parent: number;
}

function isFromThread(state: ThreadState | ProcessState): state is ThreadState {
  return "flags" in state;
}

/** An object that this thread hears of for the first time. */
function objectFrom(state: ThreadState | ProcessState): StoredObject {
  const { id, layout } = state;
  if (isFromThread(state)) {
    const { block, foreign, flags } = state;
    for (const memory of foreign) noteMetMemory(memory);
    return new StoredObject({ id, layout, block, foreign, flags: new ObjectFlags(flags) });
  }
  const object = new StoredObject({ id, layout, block: null, foreign: [], flags: new ObjectFlags() });
  object.published = state.file;
  object.fromProcess = true;
  return object;
}
