import * as files from "node:fs/promises";
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { PawlError } from "../../../errors.ts";
import { nearNames } from "../../../near-names.ts";
import { isUrl } from "../../../url-scheme.ts";
import { type PlannedFile, refuseDirectory, refuseFile } from "./planned-file.ts";
import { redactPath, redactPaths, resolveEnvPath } from "./redacted-path.ts";
import { remoteVersion } from "./remote.ts";
import { zipContent } from "./zip.ts";

/** The path of standard input. */
export const STDIN = "-";

/**
 * The files that the paths name, each once, for a zip archive the CSVs in it: in the order given, those of a glob sorted by
 * name. A path that exists as it is written is not a glob. Relative ones begin in `cwd`. Errors: `csv.missing`, `csv.directory`,
 * `csv.permission`, `csv.no-match`, `csv.not-a-file`.
 */
export async function findFiles(
  paths: readonly string[],
  cwd: string,
): Promise<{ files: PlannedFile[]; notes: string[] }> {
  if (paths.length === 0) throw new PawlError("csv.no-match", "No CSV file was given: name at least one.");
  redactPaths(paths);
  const found = new Map<string, readonly PlannedFile[]>();
  const notes: string[] = [];
  for (const path of paths) {
    for (const name of await expand(path, cwd)) {
      const absolute = name === STDIN || isUrl(name) ? name : resolve(cwd, name);
      if (found.has(absolute)) continue;
      if (isUrl(name)) {
        found.set(absolute, [await remoteVersion(name)]);
        continue;
      }
      const file = await versionOf(absolute, name);
      const zip = file.pipe ? null : await zipContent(file).catch((error) => refuseFile(error, name));
      found.set(absolute, zip?.files ?? [file]);
      if (zip?.note) notes.push(zip.note);
    }
  }
  return { files: [...found.values()].flat(), notes };
}

async function expand(path: string, cwd: string): Promise<string[]> {
  if (/^env:/.test(path) && !(await exists(resolve(cwd, path)))) return [redactPath(resolveEnvPath(path))];
  if (isUrl(path)) return [redactPath(path)];
  if (path === STDIN || !/[*?[\]{}]/.test(path) || (await exists(resolve(cwd, path)))) return [path];
  const matches: string[] = [];
  for await (const match of files.glob(path, { cwd }))
    if ((await stat(resolve(cwd, match))).isFile()) matches.push(match);
  if (matches.length > 0) return matches.sort();
  throw new PawlError("csv.no-match", `No file matches ${path}: check the pattern.`);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function versionOf(path: string, name: string): Promise<PlannedFile> {
  if (path === STDIN) return { path, name: "standard input", pipe: true, member: null, size: 0, mtimeMs: 0 };
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) refuseDirectory(name);
    if (stats.isFIFO() || stats.isCharacterDevice())
      return { path, name, pipe: true, member: null, size: 0, mtimeMs: 0 };
    if (!stats.isFile())
      throw new PawlError("csv.not-a-file", `${name} is not a file or a pipe: pipe it in as '-' instead.`);
    return { path, name, pipe: false, member: null, size: stats.size, mtimeMs: stats.mtimeMs };
  } catch (error) {
    const near = (error as NodeJS.ErrnoException).code === "ENOENT" ? await nearName(path) : null;
    if (near)
      throw new PawlError("csv.missing", `${name} does not exist; is it ${join(dirname(name), near)}?`, {
        cause: error,
      });
    return refuseFile(error, name);
  }
}

/** The name in the same folder that is most like the missing one. */
async function nearName(path: string): Promise<string | null> {
  const names = await readdir(dirname(path)).catch(() => [] as string[]);
  return nearNames(basename(path), names, 1)[0] ?? null;
}
