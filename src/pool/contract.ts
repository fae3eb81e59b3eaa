/** What the floors below the programs' own code ask of functions that workers know; it loads nothing of a pool. */
export { isLoading } from "./callable/callable.ts";
