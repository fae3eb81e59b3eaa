import { existsSync, globSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { cyclesOf } from "./cycles.ts";
import { floorOf, floors, foundation, isDoor } from "./floors.ts";
import { type Import, importsOf } from "./imports.ts";

const ROOT = "index.ts";

/** One line for each import in the checkout at `root` that the design of the house does not allow. */
export function violationsOf(root: string): string[] {
  return [...houseViolations(root), ...recipeViolations(root)];
}

function houseViolations(root: string): string[] {
  const violations: string[] = [];
  const graph = new Map<string, string[]>();
  for (const file of sourcesIn(root, "src")) {
    const path = file.slice("src/".length);
    const floor = floorOf(path);
    if (floor === undefined ? path !== ROOT && !foundation.includes(path) : !(floor in floors)) {
      violations.push(`${file}: belongs to no floor; the floors are ${Object.keys(floors).join(", ")}`);
      continue;
    }
    const neighbours: string[] = [];
    graph.set(file, neighbours);
    for (const found of importsIn(root, file)) {
      const place = `${file}:${found.line}`;
      if (!found.specifier.startsWith(".")) {
        if (/^pawl(\/|$)/.test(found.specifier)) {
          violations.push(`${place}: imports ${found.specifier}; inside src/ use the relative path`);
        }
        continue;
      }
      const target = posix.join(posix.dirname(file), found.specifier);
      const reason = houseReason(root, path, target);
      if (reason) violations.push(`${place}: imports ${target}; ${reason}`);
      if (!found.apart) neighbours.push(target);
    }
  }
  for (const cycle of cyclesOf(graph)) violations.push(`${cycle[0]}: import cycle: ${cycle.join(" → ")}`);
  return violations;
}

/** Why a file of the house (a path relative to `src/`) may not import the target (relative to the root). */
function houseReason(root: string, path: string, target: string): string | undefined {
  // A module may ask for its own package's description and such; only source files stand on floors.
  if (!target.startsWith("src/")) {
    return target === "package.json" ? undefined : "src/ may not reach outside src/";
  }
  if (!existsSync(join(root, target))) return "there is no such file";
  const inside = target.slice("src/".length);
  const from = floorOf(path);
  const to = floorOf(inside);
  if (to === undefined || from === to) return undefined;
  // What the package exports under its own name comes from the doors of all floors.
  if (path === ROOT)
    return /\/index\.ts$/.test(inside) ? undefined : "the package's own index takes from index.ts alone";
  if (from === undefined) return `${path} lies below every floor`;
  const allowed = floors[from] ?? [];
  if (allowed.includes(inside)) return undefined;
  if (!allowed.includes(to)) {
    const below = allowed.length > 0 ? `${allowed.join(", ")} and errors.ts` : "errors.ts only";
    return `the ${from} floor may import from ${below}`;
  }
  if (!isDoor(inside)) return `enter the ${to} floor by its index.ts, internal.ts or contract.ts`;
  return undefined;
}

/** A recipe shows what a user can do, so it sees what a user sees. */
function recipeViolations(root: string): string[] {
  const subpaths = publicSubpaths(root);
  return sourcesIn(root, "recipes").flatMap((file) =>
    importsIn(root, file).flatMap((found) => {
      const reason = recipeReason(file, found.specifier, subpaths);
      return reason ? [`${file}:${found.line}: imports ${found.specifier}; ${reason}`] : [];
    }),
  );
}

function recipeReason(file: string, specifier: string, subpaths: readonly string[]): string | undefined {
  if (specifier.startsWith(".")) {
    const recipe = file.split("/").slice(0, 2).join("/");
    const target = posix.join(posix.dirname(file), specifier);
    // Its tests may use the server that all tests share; what it shows to readers may not.
    const isShared = /\.(test|long)\.ts$/.test(file) && target === "test/connect/postgres/server.ts";
    return isShared || target.startsWith(`${recipe}/`)
      ? undefined
      : "a recipe uses only its own files and pawl/…";
  }
  if (!/^pawl(\/|$)/.test(specifier) || subpaths.includes(specifier)) return undefined;
  return `the public subpaths are ${subpaths.join(", ")}`;
}

function publicSubpaths(root: string): string[] {
  const description: { exports: Record<string, unknown> } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  return Object.keys(description.exports).map((subpath) => posix.join("pawl", subpath));
}

function importsIn(root: string, file: string): Import[] {
  return importsOf(file, readFileSync(join(root, file), "utf8"));
}

/** TypeScript files below a folder, as sorted paths with `/` relative to the root. */
function sourcesIn(root: string, folder: string): string[] {
  return globSync(`${folder}/**/*.ts`, { cwd: root })
    .map((path) => path.replaceAll("\\", "/"))
    .sort();
}
