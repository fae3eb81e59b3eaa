import type { Layout } from "./encode.ts";
import { noteMetMemory } from "./memory.ts";
import { Standing } from "./standing.ts";
import { StoredObject } from "./stored-object.ts";

/** What crosses to a thread: the memory, or the file where it is not in memory. */
export interface ThreadState {
  readonly id: string;
  readonly layout: Layout;
  readonly standing: SharedArrayBuffer;
  readonly block: SharedArrayBuffer | null;
  readonly foreign: readonly SharedArrayBuffer[];
  readonly file: string | null;
}

/** What crosses to a process. */
export interface ProcessState {
  readonly id: string;
  readonly layout: Layout;
  readonly file: string;
  /** The process that started the one which sends this. */
  readonly parent: number;
}

export function isFromThread(state: ThreadState | ProcessState): state is ThreadState {
  return "standing" in state;
}

/** An object that this thread hears of for the first time. */
export function objectFrom(state: ThreadState | ProcessState): StoredObject {
  const { id, layout } = state;
  if (isFromThread(state)) {
    const { block, foreign, standing } = state;
    for (const memory of foreign) noteMetMemory(memory);
    return new StoredObject({ id, layout, block, foreign, standing: new Standing(standing) });
  }
  const object = new StoredObject({ id, layout, block: null, foreign: [], standing: new Standing() });
  object.published = state.file;
  object.fromProcess = true;
  return object;
}
