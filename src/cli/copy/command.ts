import type { Command } from "commander";
import { examples, runOptions, throttleOptions } from "../options/shared.ts";
import { collect } from "../options/usage.ts";
import { withStore } from "../with-store.ts";
import type { CopyFlags } from "./copy.ts";
import type { VerifyFlags } from "./verify.ts";

const LOCATION = "a folder, s3://bucket/prefix or az://account/container/prefix";
const PROFILE = "a profile of ~/.aws/config, or for az:// of ~/.azure/config; default: the environment";

/** `pawl copy` and `pawl verify`, with their options. */
export function copyCommands(pawl: Command): void {
  const copy = pawl
    .command("copy")
    .description("copy objects between folders and buckets, each once; run it again to resume")
    .argument(
      "<from>",
      "a folder, s3://bucket/prefix, az://account/container/prefix, or manifest:urls.csv with the columns url and name",
    )
    .argument("<to>", LOCATION);
  selection(copy)
    .option(
      "--newer <time>",
      "only objects changed after this date, or within this time, such as 2026-01-31 or 24h",
    )
    .option("--transform <module>", "a module whose default export gets the bytes and returns those to write")
    .option("--transform-timeout <time>", "how long the transform may take for one object; default: 60s")
    .option("--move", "remove each object from the source when its copy is safe");
  throttleOptions(copy)
    .optionsGroup("The limits:")
    .option("--concurrency <n>", "objects copied at once; default: found by measuring")
    .option("--rate <n>", "objects a second at most")
    .option("--bandwidth <size>", "bytes a second at most, such as 10MB")
    .option("--max-quarantined <n|n%>", "fail when more objects than this are quarantined; default: 1000")
    .option("--memory <size>", "memory that the process may use; default: 256MB");
  examples(
    runOptions(copy, "copy"),
    "pawl copy photos s3://my-bucket/photos --include '*.jpg'",
    "pawl copy s3://old/img s3://new/img --from-profile old --to-profile new",
  ).action((from: string, to: string, flags: CopyFlags) =>
    withStore(async (store, location) => {
      const { copyObjects } = await import("./copy.ts");
      await copyObjects(from, to, flags, store, location);
    }),
  );

  const verify = pawl
    .command("verify")
    .description("compare two folders or buckets, object by object, and print what differs")
    .argument("<from>", LOCATION)
    .argument("<to>", LOCATION);
  examples(
    selection(verify)
      .optionsGroup("Options:")
      .option("--json", "print a JSON object for each difference, and one at the end"),
    "pawl verify photos s3://my-bucket/photos",
  ).action(async (from: string, to: string, flags: VerifyFlags) => {
    const { verifyObjects } = await import("./verify.ts");
    await verifyObjects(from, to, flags);
  });
}

function selection(command: Command): Command {
  return command
    .optionsGroup("The objects:")
    .option("--from-profile <name>", PROFILE)
    .option("--to-profile <name>", PROFILE)
    .option("--include <pattern>", "only objects such as '*.jpg' or '2024/**'", collect)
    .option("--exclude <pattern>", "no objects such as '*.tmp'", collect);
}
