/** What the floors above need of the pool and users do not. */
export { isLoading } from "./callable/callable.ts";
