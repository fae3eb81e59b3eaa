import type { ActorSetup, AnswersMessage, FromCaller } from "../actor/protocol.ts";
import type { FunctionReference } from "../callable/reference.ts";
import type { Isolation } from "../transfer/cloneable.ts";
import type { Handle, Packed } from "../transfer/pack.ts";
import type { RemoteError } from "../transfer/remote-error.ts";
import type { Marker } from "./marker.ts";

/** What a worker's heap may take, in bytes; null for what Node gives. */
export interface HeapLimits {
  readonly maxHeap: number | null;
  readonly youngHeap: number | null;
}

/** Work for one worker: consecutive items for one function. */
export interface ChunkMessage {
  readonly type: "chunk";
  readonly id: number;
  /** The function by the number under which this worker keeps it. */
  readonly call: number;
  /** The function itself, the first time. */
  readonly reference?: FunctionReference;
  /** Arguments are given to the function one by one, rather than each item as one argument. */
  readonly spread: boolean;
  /** The index of the first item in its call. */
  readonly base: number;
  readonly items: readonly unknown[];
  /** Of shared things in the items, by the index of the item in the chunk; null for none. */
  readonly handles: readonly Handle[] | null;
}

export type ToWorker =
  | ChunkMessage
  /** Leave the rest of a chunk undone, and tell the item that runs by its signal. */
  | { readonly type: "cancel"; readonly id: number; readonly reason: string }
  /** The same for one item. */
  | { readonly type: "abort"; readonly id: number; readonly index: number; readonly reason: string }
  /** To calls of actors by their handles. */
  | AnswersMessage
  | { readonly type: "close" };

/** What came out of consecutive items of a chunk: a value, or an error in its place. */
export interface ResultsMessage {
  readonly type: "results";
  readonly id: number;
  /** The index of the first one in its call. */
  readonly from: number;
  readonly values: readonly unknown[];
  /** Of shared things in the values, by the index in `values`; null for none. */
  readonly handles: readonly Handle[] | null;
  /** The index after the last item that the worker has ended: so far there must be values. */
  readonly ended: number;
  /** By index in `values`; null for none. */
  readonly errors: readonly (readonly [at: number, error: RemoteError])[] | null;
  /** Time spent in the function, in milliseconds. */
  readonly spentMs: number;
  readonly last: boolean;
  /** The worker must be replaced: it uses more memory than it may, or a function has spoiled it. */
  readonly full: boolean;
}

export type FromWorker =
  | { readonly type: "ready" }
  | { readonly type: "unready"; readonly error: RemoteError }
  /** This worker dies of an exception that was not caught; processes say so, of threads it is known. */
  | { readonly type: "fault"; readonly error: RemoteError }
  | ResultsMessage
  /** Calls of actors that a thread above this worker owns. */
  | FromCaller;

/** What a worker of a pool is started with. */
export interface WorkerSetup {
  readonly init: FunctionReference | null;
  readonly initArgument: Packed;
  /** Bytes above which it leaves the rest of a chunk to others; null for no limit. */
  readonly maxMemory: number | null;
}

/** The worker's end of the channel to its parent. */
export interface ParentChannel<From = FromWorker> {
  readonly isolation: Isolation;
  post(message: From): void;
  /** Whether anything can still be sent. */
  isOpen(): boolean;
  /** Bytes this worker uses. */
  memory(): number;
  /** Ends the worker. */
  end(): void;
}

/** The parent's end of the channel to a worker. */
export interface WorkerChannel<To = ToWorker> {
  readonly marker: Marker;
  /** Throws DataCloneError when the message cannot be cloned; then nothing was sent. */
  post(message: To): void;
  /** Whether this worker keeps the program from ending. */
  hold(held: boolean): void;
  /** Ends the worker now, whatever it does; resolves when it is gone. */
  kill(): Promise<void>;
  /** Resolves when the worker is gone, with why, for people. */
  readonly gone: Promise<string>;
}

/** Where the messages of a worker go. */
export type MessageListener<From = FromWorker> = (message: From) => void;

/** What a worker is started with: one of a pool, or one that is an actor. */
export type Setup = WorkerSetup | ActorSetup;

/** How a worker is started: by a file, or by code that imports a bundle. */
export type Entry = { readonly file: string } | { readonly code: string };
