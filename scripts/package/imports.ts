import { run } from "./command.ts";

/** Imports each module in a process of its own; a module that fails or exports nothing is a problem. */
export function importProblems(consumer: string, modules: readonly string[]): string[] {
  return modules.flatMap((module) => {
    const program = `
      const names = Object.keys(await import(${JSON.stringify(module)}));
      if (names.length === 0) throw new Error("it exports nothing");`;
    const { code, stderr } = run(process.execPath, ["--input-type=module", "--eval", program], consumer);
    return code === 0 ? [] : [`import "${module}" fails: ${reason(stderr)}`];
  });
}

/** CommonJS requires all modules in one process. */
export function requireProblems(consumer: string, modules: readonly string[]): string[] {
  const program = modules.map((module) => `require(${JSON.stringify(module)});`).join("\n");
  const { code, stderr } = run(process.execPath, ["--input-type=commonjs", "--eval", program], consumer);
  return code === 0 ? [] : [`require() of the modules fails: ${reason(stderr)}`];
}

/** The line of a crash that names the error. */
function reason(stderr: string): string {
  return stderr.split("\n").find((line) => /^\w*Error\b/.test(line)) ?? stderr.trim();
}
