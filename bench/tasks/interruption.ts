const controller = new AbortController();

/** Aborts when somebody wants the benchmark to end. Its processes end with it; what they stored in is cleaned up. */
export const interruption = controller.signal;

process.once("SIGINT", () => controller.abort());
process.once("SIGTERM", () => controller.abort());
