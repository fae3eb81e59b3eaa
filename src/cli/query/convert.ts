import { filesFrame } from "../../data/internal.ts";
import { type LimitFlags, withRunOptions } from "./run-options.ts";
import { type OutputFlags, writeTo } from "./write-to.ts";

/** The flags of `pawl convert`, as the command line gives them. */
export interface ConvertFlags extends LimitFlags, OutputFlags {
  readonly sheet?: string;
}

/** `pawl convert FROM TO`: the rows of files in another format. */
export async function convert(from: string, to: string, flags: ConvertFlags): Promise<void> {
  await withRunOptions(flags, async (options) => {
    const { sheet } = flags;
    const frame = await filesFrame(from, options, sheet);
    await writeTo(frame, to, flags, options);
  });
}
