/** What the floors above need of tasks and users do not: not exported from the package. */
export { knownTasks } from "./define/registry.ts";
