import { PawlError } from "../../errors.ts";
import type { AnyTask } from "../contract.ts";

const SYMBOL = Symbol.for("pawl.tasks");

/** One for the thread: a bundle may bring a second copy of this file, and both must know the same tasks. */
const tasks: Map<string, AnyTask> = shared();

function shared(): Map<string, AnyTask> {
  const holder = globalThis as { [SYMBOL]?: Map<string, AnyTask> };
  holder[SYMBOL] ??= new Map();
  return holder[SYMBOL];
}

/** Makes a task known under its name. Throws a PawlError `task.name-taken` when there is one. */
export function register(task: AnyTask): void {
  if (tasks.has(task.name)) {
    throw new PawlError(
      "task.name-taken",
      `There are two tasks named "${task.name}": the store knows a task by its name alone, so give one of them another.`,
    );
  }
  tasks.set(task.name, task);
}

/** Every task that was defined in this thread, in order of definition. */
export function knownTasks(): AnyTask[] {
  return [...tasks.values()];
}

export function taskNamed(name: string): AnyTask | undefined {
  return tasks.get(name);
}

let modules = 0;

/** Runs what imports modules in a child, so that they can be told apart from the program. */
export async function loading(imports: () => Promise<void>): Promise<void> {
  modules++;
  try {
    await imports();
  } finally {
    modules--;
  }
}

/** Throws when a child that looks for a task starts a worker: its children would, and theirs too. */
export function assertNotLoading(): void {
  if (modules === 0) return;
  throw new PawlError(
    "worker.unguarded-main",
    "A module starts a worker while a child imports it to find a task: put that code under if (import.meta.main), or the task in a module of its own.",
  );
}
