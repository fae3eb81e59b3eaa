import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Finished, run } from "./command.ts";

const oldest = 24;

/** The installed command must help on this Node and refuse an older one in one sentence. */
export function launchProblems(consumer: string): string[] {
  return [...helpProblems(consumer), ...loadProblems(consumer), ...oldNodeProblems(consumer)];
}

/** The README's first command, as a stranger gives it: into the embedded server, with no table there yet. */
function loadProblems(consumer: string): string[] {
  writeFileSync(join(consumer, "people.csv"), "id,name\n1,Ada\n2,Grace\n");
  const pawl = (...words: string[]) => run("npx", ["--no-install", "pawl", ...words], consumer);
  try {
    const { code, stdout, stderr } = pawl("load", "people.csv", "--table", "people", "--create");
    if (code !== 0) return [`the first load of the package ended with ${code}:\n${stdout}${stderr}`];
    const { stdout: rows } = pawl("sql", "SELECT count(*) AS n FROM people");
    return /\b2\b/.test(rows) ? [] : [`the first load of the package left:\n${rows}`];
  } finally {
    pawl("postgres", "stop");
  }
}

function helpProblems(consumer: string): string[] {
  const { code, stdout, stderr } = run("npx", ["--no-install", "pawl", "--help"], consumer);
  if (code !== 0) return [`npx pawl --help ended with ${code}: ${stderr.trim()}`];
  return /\bload\b/.test(stdout) ? [] : [`npx pawl --help does not mention load:\n${stdout.trim()}`];
}

function oldNodeProblems(consumer: string): string[] {
  const { code, stdout, stderr } = runOnOldNode(consumer);
  const sentence = new RegExp(`^pawl needs Node ${oldest} or newer, [^\\n]+\\.\\n$`);
  if (code === 2 && stdout === "" && sentence.test(stderr)) return [];
  return [
    `on an old Node pawl should say so in one sentence and exit with 2, not ${code}: ${stdout}${stderr}`,
  ];
}

function runOnOldNode(consumer: string): Finished {
  const command = [join("node_modules", "pawl", "bin", "pawl.cjs"), "--help"];
  const old = oldNode(consumer);
  if (old) return run(old, command, consumer);
  const disguise = join(consumer, "old-node.cjs");
  writeFileSync(
    disguise,
    `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.19.0" } });`,
  );
  return run(process.execPath, ["--require", disguise, ...command], consumer);
}

/** A Node on this machine's PATH that is too old for Pawl, if it has one. */
function oldNode(cwd: string): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .map((folder) => join(folder, "node"))
    .find((path) => {
      if (!existsSync(path)) return false;
      const version = /^v(\d+)\./.exec(run(path, ["--version"], cwd).stdout);
      return version !== null && Number(version[1]) < oldest;
    });
}
