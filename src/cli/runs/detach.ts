import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../../private-folder.ts";
import type { StateLocation } from "../../store/internal.ts";
import { jsonText } from "../../visible.ts";
import { INTO_VARIABLE, type RunDatabase } from "../options/database.ts";
import { nextCommand } from "../terminal/next-command.ts";
import { print } from "../terminal/output.ts";

/** Starts a process that continues a stored run, so that the run survives this terminal. */
export async function detach(
  run: string,
  database: RunDatabase | null,
  location: StateLocation,
  json: boolean,
): Promise<void> {
  const folder = join(location.runs, run);
  makeFolder(folder);
  const logFile = join(folder, "log");
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? "", "resume", run], {
    detached: true,
    stdio: ["ignore", log, log],
    env: {
      ...process.env,
      PAWL_STORE: location.store,
      ...(database ? { [INTO_VARIABLE]: database.url } : {}),
    },
  });
  closeSync(log);
  child.unref();
  if (json) {
    print(jsonText({ run, pid: child.pid, log: logFile }));
    return;
  }
  print(
    `run ${run} continues in the background (process ${child.pid})\n  follow it:  ${nextCommand(["attach", run])}\n  its log:    ${logFile}`,
  );
}
