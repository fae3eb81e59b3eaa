import { PawlError } from "../../errors.ts";

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
