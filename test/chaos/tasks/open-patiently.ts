import { setTimeout as sleep } from "node:timers/promises";
import { openStore, type Store, TransientError } from "../../../src/store/index.ts";

/** Opens a store that may be away for long just now: a supervisor would start the worker again. */
export async function openPatiently(address: string): Promise<Store> {
  for (;;) {
    try {
      return await openStore(address);
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      process.stderr.write(`${error}\n`);
      await sleep(200);
    }
  }
}
