/**
 * Writes docs/errors.md and src/error-codes.ts from the errors in the sources; with `--check` it only says whether they are
 * up to date.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ErrorCode, errorCodes, subjectOf } from "./errors/codes.ts";

const root = join(import.meta.dirname, "..");

const head = `# Error codes

An error that you can cause or meet is a \`PawlError\` with a \`code\`, which stays as it is from release to release, and
one sentence: what was wrong, where, and what to do. A \`TransientError\` may succeed when tried again; an \`ItemError\` is
the reason why one item was quarantined. \`LostError\` has no code: another worker has taken over.

\`\`\`ts
import { PawlError, run } from "pawl";
import job from "./job.ts";

try {
  await run(job);
} catch (error) {
  if (error instanceof PawlError && error.code === "csv.missing") console.error("no file today");
  else throw error;
}
\`\`\`

This page is generated from the sources by \`npm run docs:errors\`. A … stands for what is only known when it happens. Codes
that end in five capital letters and digits, such as \`postgres.3D000\` and \`store.53200\`, carry PostgreSQL's own SQLSTATE.
`;

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll("\n", " ");
}

function page(codes: readonly ErrorCode[]): string {
  const subjects = Map.groupBy(codes, ({ code }) => subjectOf(code));
  const parts = [...subjects].map(([subject, group]) => {
    const rows = group.map(({ code, messages }) => {
      const said = messages.size === 0 ? "what the failed part said" : [...messages].map(cell).join("<br>");
      return `| \`${code}\` | ${said} |`;
    });
    return [`## ${subject}`, "", "| code | message |", "| --- | --- |", ...rows, ""].join("\n");
  });
  return `${head}\n${parts.join("\n")}`;
}

function union(codes: readonly ErrorCode[]): string {
  const lines = codes.map(({ code }) => `  | "${code}"`);
  return `/**
 * The codes of the errors that a program can meet, for completion and for a \`switch\`. Written by \`npm run docs:errors\` from
 * the sources. Codes that carry PostgreSQL's own SQLSTATE, such as \`postgres.3D000\`, are further texts.
 */
export type ErrorCode =
${lines.join("\n")};
`;
}

const codes = errorCodes(join(root, "src"));
const wanted = { "docs/errors.md": page(codes), "src/error-codes.ts": union(codes) };
for (const [name, text] of Object.entries(wanted)) {
  const file = join(root, name);
  if (!process.argv.includes("--check")) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    console.error(`${name} is not what the sources say: run npm run docs:errors.`);
    process.exitCode = 1;
  }
}
