import { spawnSync } from "node:child_process";
import { delimiter, dirname } from "node:path";

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, with this Node first on the PATH, so that what it starts does not run on an older one. */
export function run(command: string, args: readonly string[], cwd: string): Finished {
  const path = [dirname(process.execPath), process.env.PATH].join(delimiter);
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { ...strangersEnvironment(), PATH: path },
    maxBuffer: 1 << 26,
  });
  if (error) throw new Error(`${command} did not start: ${error.message}`);
  return { code: status, stdout, stderr };
}

/** As `run`, but anything except success is an error that shows what the program said. */
export function succeed(command: string, args: readonly string[], cwd: string): string {
  const { code, stdout, stderr } = run(command, args, cwd);
  if (code === 0) return stdout;
  throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${`${stdout}${stderr}`.trim()}`);
}

/** Without what npm tells the scripts of this checkout, such as its own settings: they are not the stranger's. */
function strangersEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));
}
