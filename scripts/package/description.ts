import { readFileSync } from "node:fs";
import { join, posix } from "node:path";

/** The parts of package.json that a user's program meets. */
export interface Description {
  readonly name: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export function readDescription(folder: string): Description {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** Such as `pawl/batch`: what can be imported as a module. */
export function modulesOf(description: Description): string[] {
  return Object.keys(description.exports)
    .filter((subpath) => !subpath.endsWith(".json"))
    .map((subpath) => posix.join(description.name, subpath));
}

/** Every file that package.json promises, as paths in the tarball. */
export function promisedFiles(description: Description): string[] {
  const targets = Object.values(description.exports).flatMap((target) =>
    typeof target === "string" ? [target] : Object.values(target),
  );
  return [...targets, ...Object.values(description.bin)].map((path) => posix.normalize(path));
}
