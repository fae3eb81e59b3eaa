import { withoutFullStop } from "../../../error-text.ts";
import { callable } from "../../../pool/index.ts";
import type { ObjectInfo, Transformed } from "../contract.ts";

interface TransformModule {
  readonly default?: (bytes: Uint8Array, about: ObjectInfo) => Transformed | Promise<Transformed>;
}

/** The standard output is that of the command, whose reader waits for one object of JSON: what a transform prints is for people. */
function sayElsewhere(): void {
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
}

/** In a worker: why a module cannot be called; null where it can. */
export const transformProblem = callable(import.meta, async (module: string): Promise<string | null> => {
  sayElsewhere();
  try {
    const { default: transform } = (await import(module)) as TransformModule;
    if (typeof transform === "function") return null;
    return "exports no function by default: export default (bytes, { key }) => bytes";
  } catch (error) {
    const [why = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
    return `cannot be imported: ${withoutFullStop(why)}`;
  }
});

/** In a worker: calls what a module of the user's exports by default. */
export const callTransform = callable(
  import.meta,
  async (module: string, bytes: Uint8Array, about: ObjectInfo): Promise<Transformed> => {
    sayElsewhere();
    const { default: transform } = (await import(module)) as Required<TransformModule>;
    return await transform(bytes, about);
  },
);
