import { callable } from "../../pool/index.ts";
import type { ObjectAbout, Transformed } from "./contract.ts";

/** In a worker: calls what a module of the user's exports by default. */
export const callTransform = callable(
  import.meta,
  async (module: string, bytes: Uint8Array, about: ObjectAbout): Promise<Transformed> => {
    const { default: transform } = (await import(module)) as {
      default?: (bytes: Uint8Array, about: ObjectAbout) => Transformed | Promise<Transformed>;
    };
    if (typeof transform !== "function")
      throw new Error(`${module} exports no function by default: export default (bytes, { key }) => bytes`);
    return await transform(bytes, about);
  },
);
