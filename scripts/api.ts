/**
 * Writes what each module of the package exports into `api/`, a file each, so that a change of the public face is seen in
 * a review; with `--check` it only says whether the files are up to date, whether every export has a doc comment, and whether a
 * name means one thing in all modules.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { type Declaration, Declarations } from "./api/declarations.ts";
import { report } from "./api/report.ts";
import { succeed } from "./package/command.ts";
import { readDescription } from "./package/description.ts";

const root = join(import.meta.dirname, "..");
const folder = join(root, "api");
const scratch = mkdtempSync(join(tmpdir(), "pawl-api-"));
try {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const flags = [
    "-p",
    join(root, "tsconfig.build.json"),
    "--noCheck",
    "--emitDeclarationOnly",
    "--outDir",
    scratch,
  ];
  succeed(process.execPath, [tsc, ...flags], root);
  const declarations = new Declarations();
  const wanted = new Map<string, string>();
  const problems: string[] = [];
  /** What a name means where it was met first. */
  const meanings = new Map<string, { readonly module: string; readonly first: Declaration }>();
  for (const [subpath, target] of Object.entries(readDescription(root).exports)) {
    if (typeof target === "string" || target.types === undefined) continue;
    const entry = join(scratch, target.types.replace("./dist/", ""));
    const module = posix.join("pawl", subpath);
    wanted.set(`${module.replaceAll("/", "-")}.md`, report(module, entry, declarations));
    for (const [name, found] of declarations.exportsOf(entry)) {
      const [first] = found as [Declaration, ...Declaration[]];
      if (found.every(({ doc }) => doc === null))
        problems.push(`${module} exports ${name} without a doc comment`);
      const before = meanings.get(name);
      meanings.set(name, before ?? { module, first });
      if (before !== undefined && before.first !== first)
        problems.push(`${name} is one thing in ${before.module} and another in ${module}`);
    }
  }
  if (process.argv.includes("--check")) {
    const there = existsSync(folder) ? readdirSync(folder) : [];
    const stale = [
      ...[...wanted]
        .filter(([name, text]) => !there.includes(name) || readFileSync(join(folder, name), "utf8") !== text)
        .map(([name]) => name),
      ...there.filter((name) => !wanted.has(name)),
    ];
    if (stale.length > 0)
      problems.push(
        `api/ is not what the sources export (${stale.join(", ")}): if the change is meant, run npm run api and commit it`,
      );
    for (const problem of problems) console.error(problem);
    if (problems.length > 0) process.exitCode = 1;
  } else {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const [name, text] of wanted) writeFileSync(join(folder, name), text);
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
