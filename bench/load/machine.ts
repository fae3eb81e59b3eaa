import { availableParallelism, cpus, totalmem } from "node:os";

/** One line that belongs beside every figure. */
export function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  const processor = cpus()[0]?.model.trim() ?? "unknown processor";
  return `Node ${process.versions.node}, ${process.platform} ${process.arch}, ${availableParallelism()} × ${processor}, ${memory} GB`;
}
