import { assertObject } from "../../arguments.ts";
import type { Store } from "../../store/contract.ts";
import { stateLocation } from "../../store/internal.ts";
import { currentScope } from "../attempt/unhandled-errors.ts";
import { Client, connect } from "./client.ts";
import type { TaskHandle } from "./handle.ts";

let chosen: Client | undefined;

/**
 * Where tasks are stored that this program enqueues, from now on: an open store, or where it is. Without it that is
 * `PAWL_STORE`, or `.pawl/store.db` in the working directory.
 */
export function useStore(store: Store | string): void {
  chosen = connect(store);
}

/** Inside a handler the store of its worker, otherwise that of the program. */
export function defaultClient(): Client {
  const scope = currentScope();
  if (scope !== undefined) return scope.client;
  chosen ??= new Client(defaultLocation());
  return chosen;
}

/** Lets go of the program's store; it is opened again when it is needed again. */
export async function disconnect(): Promise<void> {
  const client = chosen;
  chosen = undefined;
  await client?.close();
}

/**
 * Where tasks are stored if the program says nothing else: `PAWL_STORE`, an address or a path, or `.pawl/store.db` in the
 * working directory.
 */
export function defaultLocation(env: NodeJS.ProcessEnv = process.env): string {
  assertObject(env, "The environment");
  return stateLocation(env).store;
}

/** The task or flow of this id, whichever process enqueued it. */
export function handleOf<R = unknown>(id: string): TaskHandle<R> {
  return defaultClient().handle<R>(id);
}
