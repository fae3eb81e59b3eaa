import { assertObject } from "../../arguments.ts";
import type { Store } from "../../store/contract.ts";
import { stateLocation } from "../../store/internal.ts";
import { currentScope } from "../attempt/unhandled-errors.ts";
import { Client, connect } from "./client.ts";
import type { TaskHandle } from "./handle.ts";

let chosen: Client | undefined;

/**
 * Sets the store of this program, for all tasks that it enqueues from now on. Without a call it is at `defaultLocation()`.
 *
 * @param store an open store, or its location, such as `"postgres://db/app"` or the path of a file
 * @throws PawlError `store.unsupported` for anything else
 * @example
 * ```ts
 * useStore(process.env.REPORTS_STORE ?? ".pawl/reports.db");
 * ```
 */
export function useStore(store: Store | string): void {
  chosen = connect(store);
}

/** The client of the running code: in a handler that of its worker, otherwise that of the program. */
export function defaultClient(): Client {
  const scope = currentScope();
  if (scope !== undefined) return scope.client;
  chosen ??= new Client(defaultLocation());
  return chosen;
}

/**
 * Closes the program's store, unless it was given open. It is opened again when it is needed again.
 *
 * @example
 * ```ts
 * process.once("beforeExit", () => void disconnect());
 * ```
 */
export async function disconnect(): Promise<void> {
  const client = chosen;
  chosen = undefined;
  await client?.close();
}

/**
 * Where tasks are stored if the program says nothing else: `PAWL_STORE`, an address or a path, or `.pawl/store.db` in the
 * working directory.
 *
 * @throws PawlError `argument.object` where `env` is not an object
 * @example
 * ```ts
 * console.log(`tasks are stored in ${defaultLocation()}`);
 * ```
 */
export function defaultLocation(env: NodeJS.ProcessEnv = process.env): string {
  assertObject(env, "The environment");
  return stateLocation(env).store;
}

/**
 * A handle of the task or flow with this id, whichever process enqueued it. Whether the store has it is found when the handle
 * is used.
 *
 * @throws PawlError `task.id` where the id is not a text
 * @example
 * ```ts
 * const status = await handleOf("0123456789abcdef").status();
 * console.log(status?.state ?? "not in the store");
 * ```
 */
export function handleOf<R = unknown>(id: string): TaskHandle<R> {
  return defaultClient().handle<R>(id);
}
