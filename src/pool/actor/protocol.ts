import type { CallableReference } from "../callable/callable.ts";
import type { LimitMs } from "../options.ts";
import type { Handle, Packed } from "../transfer/pack.ts";
import type { RemoteError } from "../transfer/remote-error.ts";

/** What an actor's worker is started with. */
export interface ActorSetup {
  readonly actor: {
    readonly name: string;
    readonly reference: CallableReference;
    readonly args: Packed;
    /** What `save` returned last, before the worker that is replaced died. */
    readonly saved: Packed | null;
    readonly concurrency: number;
    /** After how many calls to save; 0 where an actor that dies is not made again. */
    readonly saveEvery: number;
  };
}

/** Consecutive calls, numbered from `first` on. */
export interface CallsMessage {
  readonly type: "calls";
  readonly first: number;
  readonly methods: readonly string[];
  readonly args: readonly (readonly unknown[])[];
  /** Of shared things, by the index of the call and then of the argument. */
  readonly handles: readonly Handle[];
  /** The numbers of those with a time limit or a signal. */
  readonly watched: readonly number[];
}

export type ToActor =
  | CallsMessage
  | { readonly type: "abort"; readonly seq: number; readonly reason: string }
  /** No calls will follow: end what the object holds. */
  | { readonly type: "close" }
  | AnswersMessage;

/** What came out of calls, in the order in which they ended. */
export interface ActorResults {
  readonly type: "results";
  readonly seqs: readonly number[];
  readonly values: readonly unknown[];
  /** Of shared things in the values, by the index in `values`. */
  readonly handles: readonly Handle[];
  /** By index in `values`. */
  readonly errors: readonly (readonly [at: number, error: RemoteError])[];
  /** Milliseconds, since the last message, in which at least one call ran. */
  readonly busyMs: number;
  /** The state that holds the effect of exactly the calls told so far. */
  readonly saved: Packed | null;
}

export type FromActor =
  | { readonly type: "ready"; readonly methods: readonly string[] }
  | { readonly type: "unready"; readonly error: RemoteError }
  /** A watched call begins. */
  | { readonly type: "began"; readonly seq: number }
  | ActorResults
  /** Nothing that it awaits will end: it is to be replaced. */
  | { readonly type: "spoiled"; readonly error: RemoteError }
  | { readonly type: "closed"; readonly error: RemoteError | null }
  | FromCaller;

/** A call of an actor that a thread above this worker owns. */
export interface Ask {
  readonly id: number;
  readonly actor: string;
  /** The name of its class, for people. */
  readonly name: string;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly handles: readonly Handle[];
  readonly limit: LimitMs | null;
  /** An `ask-abort` may follow. */
  readonly abortable: boolean;
}

/** From a worker that holds a handle to its parent. */
export type FromCaller =
  | { readonly type: "ask"; readonly asks: readonly Ask[] }
  | { readonly type: "ask-abort"; readonly id: number; readonly reason: string };

export interface Answer {
  readonly id: number;
  readonly value: unknown;
  readonly handles: readonly Handle[];
  readonly error: RemoteError | null;
}

export interface AnswersMessage {
  readonly type: "answers";
  readonly answers: readonly Answer[];
}
