import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sharedNames } from "./words/exceptions.ts";
import { replacedWord } from "./words/file-names.ts";
import { phrasesIn } from "./words/phrases.ts";
import { sharedTypeNames } from "./words/type-names.ts";

// The words of the house: plain English in what people read, files named by the glossary, a type name on one floor only.
// What is left stands in scripts/words/left.json and may only shrink: `--list` prints it, `--write` notes that there is less.
const root = join(import.meta.dirname, "..");
const LEFT = join(root, "scripts/words/left.json");
const [mode] = process.argv.slice(2);
const read = (file: string) => readFileSync(join(root, file), "utf8");
const glob = (...patterns: string[]) => globSync(patterns, { cwd: root }).sort();

/** How many violations are left: by kind and folder, so that a file may move within it. */
type Left = Readonly<Record<string, number>>;
const left = new Map(Object.entries(JSON.parse(readFileSync(LEFT, "utf8")) as Left));
const found = new Map<string, string[]>();
const add = (kind: string, line: string) => found.set(kind, [...(found.get(kind) ?? []), line]);

const texts = glob("{src,scripts,test,bench,recipes}/**/*.ts", "*.md", "docs/*.md", "recipes/**/*.md");
for (const file of texts) {
  // The changelog tells of what was, and these files hold the phrases themselves.
  if (/^CHANGELOG|^scripts\/words\/|\/check-words\./.test(file)) continue;
  for (const { line, text, instead } of phrasesIn(file, read(file)))
    add(`phrases in ${folderOf(file)}`, `${file}:${line}: "…${text}…" (${instead})`);
}
for (const file of glob("{src,test}/**/*.ts")) {
  const word = replacedWord(file);
  if (word !== null)
    add(`file names in ${folderOf(file)}`, `${file}: "${word}" is a word that the glossary replaces`);
}
for (const { name, files } of sharedTypeNames(new Map(glob("src/**/*.ts").map((file) => [file, read(file)]))))
  if (!sharedNames.has(name))
    add(`the type name ${name}`, `${name} is a type on more than one floor: ${files.join(", ")}`);

const grown = [...found].filter(([kind, lines]) => lines.length > (left.get(kind) ?? 0));
const now: Left = Object.fromEntries([...found].map(([kind, lines]) => [kind, lines.length]));
if (mode === "--list") for (const line of [...found.values()].flat()) console.log(line);
else if (grown.length > 0) {
  for (const [kind, lines] of grown) {
    console.error(`${kind}: ${lines.length}, and ${left.get(kind) ?? 0} before:`);
    for (const line of lines) console.error(`  ${line}`);
  }
  process.exitCode = 1;
} else if (mode === "--write") writeFileSync(LEFT, `${JSON.stringify(now, null, 2)}\n`);
else {
  const fewer = [...left].filter(([kind, count]) => count > (now[kind] ?? 0)).length;
  if (fewer > 0) console.log(`fewer are left in ${fewer} folders: node scripts/check-words.ts --write`);
}

/** A floor or an end of `connect`, under `src/` or `test/`; else the folder at the top. */
function folderOf(file: string): string {
  const [top = "", floor = "", end = ""] = file.split("/");
  if (top !== "src" && top !== "test") return file.includes("/") ? top : file;
  if (end === "") return top;
  return floor === "connect" ? `${top}/${floor}/${end}` : `${top}/${floor}`;
}
