const controller = new AbortController();

/** Aborts when the benchmark is interrupted. Its processes end with it; what they stored in is cleaned up. */
export const interruption = controller.signal;

process.once("SIGINT", () => controller.abort());
process.once("SIGTERM", () => controller.abort());
