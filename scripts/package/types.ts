import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";

const resolutions = [
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
];

/** Compiles a user's strict program against the installed declarations, which are checked themselves too. */
export function typeProblems(consumer: string, modules: readonly string[], tsc: string): string[] {
  writeFileSync(join(consumer, "uses.ts"), programUsing(modules));
  return resolutions.flatMap(({ module, moduleResolution }) => {
    const options = ["--strict", "--noEmit", "--target", "es2024", "--lib", "es2024,esnext.disposable"];
    const how = ["--types", "node", "--module", module, "--moduleResolution", moduleResolution];
    const { code, stdout } = run(process.execPath, [tsc, ...options, ...how, "uses.ts"], consumer);
    if (code === 0) return [];
    return [`types do not resolve with moduleResolution ${moduleResolution}:\n${stdout.trim()}`];
  });
}

/** A module without declarations would be `any`, which compiles everywhere: so being `any` is made an error. */
function programUsing(modules: readonly string[]): string {
  const lines = modules.map(
    (module, index) => `export const typed${index}: IsAny<typeof import("${module}")> = false;`,
  );
  return ["type IsAny<T> = 0 extends 1 & T ? true : false;", ...lines, ""].join("\n");
}
