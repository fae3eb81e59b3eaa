import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { isMainThread } from "node:worker_threads";

/** Given to Node with `--import`: writes the URLs of all modules that the main thread loads to the file that LOADED names. */
const loaded: string[] = [];
if (isMainThread) {
  registerHooks({
    load(url, context, next) {
      loaded.push(url);
      return next(url, context);
    },
  });
  process.on("exit", () => writeFileSync(process.env.LOADED as string, loaded.join("\n")));
}
