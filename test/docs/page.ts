import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { runInHost } from "../cli/host.ts";
import type { CodeBlock } from "./code-blocks.ts";

const run = promisify(execFile);

/** What a block printed, beside what its page says. */
export interface Printed {
  readonly expected: string;
  readonly actual: string;
}

/** A page whose blocks are run one after the other, in a folder and with a database of their own, as by a person who follows it. */
export class Page {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  #programs = 0;

  /** `compileCache` saves that each program compiles the package again. */
  constructor(folder: string, database: string, compileCache: string) {
    this.#folder = folder;
    const inherited = Object.entries(process.env).filter(([name]) => !/^(PAWL|npm)_/i.test(name));
    this.#env = {
      ...Object.fromEntries(inherited),
      DATABASE_URL: database,
      NODE_COMPILE_CACHE: compileCache,
      NO_COLOR: "1",
    };
  }

  /** Runs a block, and gives what it printed for each output that the page shows. */
  async run(block: CodeBlock): Promise<Printed[]> {
    await mkdir(this.#folder, { recursive: true });
    if (block.language === "ts") {
      const actual = await this.#program(block);
      return [{ expected: block.output ?? "", actual }];
    }
    if (block.language === "console") {
      const printed: Printed[] = [];
      for (const part of `\n${block.code}`.split("\n$ ").slice(1)) {
        const [line = "", ...expected] = part.split("\n");
        printed.push({ expected: expected.join("\n"), actual: await this.#command(line) });
      }
      return printed;
    }
    let actual = "";
    for (const line of block.code.split("\n")) actual += await this.#command(line);
    return block.output === null ? [] : [{ expected: block.output, actual }];
  }

  async #program({ prelude, code }: CodeBlock): Promise<string> {
    const [, named] = /^\/\/ (\S+\.ts)\n/.exec(code) ?? [];
    const file = named ?? `program-${++this.#programs}.ts`;
    await writeFile(join(this.#folder, file), `${prelude}\n${code}\n`);
    const { stdout } = await run(process.execPath, [file], { cwd: this.#folder, env: this.#env });
    return stdout;
  }

  /** One line of a shell. A command of pawl shares a process with others, since to start one costs more than most of them. */
  async #command(line: string): Promise<string> {
    const [, command = "", file] = /^(.*?)(?:\s+> (\S+))?\s*(?:\s#\s.*)?$/.exec(line) ?? [];
    // The check of the packed tarball installs it; here it is the package of this checkout.
    if (command.trim() === "" || /^npm (init|install) /.test(command)) return "";
    const [, npx, rest] = /^(npx )?pawl (.*)$/.exec(command) ?? [];
    const out = rest === undefined ? await this.#shell(command) : await this.#pawl(rest, npx !== undefined);
    if (file === undefined) return out;
    await writeFile(join(this.#folder, file), out);
    return "";
  }

  async #shell(command: string): Promise<string> {
    const { stdout } = await run("sh", ["-c", command], { cwd: this.#folder, env: this.#env });
    return stdout;
  }

  async #pawl(words: string, isNpx: boolean): Promise<string> {
    const split = await this.#shell(`printf '%s\\0' ${words}`);
    const args = withDatabase(split.split("\0").slice(0, -1));
    const env = { ...this.#env, ...(isNpx ? { npm_command: "exec" } : {}) };
    const { code, out, err } = await runInHost({ args, cwd: this.#folder, env });
    if (code !== 0 && code !== 3) throw new Error(`pawl ${words} ended with ${code}: ${err}`);
    return out;
  }
}

/** Where a page uses the embedded PostgreSQL, its database stands on the server of the tests. */
function withDatabase(args: readonly string[]): readonly string[] {
  const flag = new Map([
    ["load", "--into"],
    ["sql", "--url"],
    ["backfill", "--url"],
  ]).get(args[0] ?? "");
  if (flag === undefined || args.includes("--into") || args.includes("--url")) return args;
  return [...args, flag, "env:DATABASE_URL"];
}

/** A text without what differs from one time to the next: ids of runs, times, speeds, memory, and blanks at the ends of lines. */
export function stable(text: string): string {
  return text
    .replace(/(?<=\b(?:run|quarantine|export|replay|resume|cancel) )[a-z0-9]{10}\b/g, "RUN")
    .replace(/\bin [\d.]+ m?s(?:, [\d,]+ \w+\/s)?, peak memory [\d.]+ \w+/g, "in 1 s, peak memory 100 MB")
    .replace(/ +$/gm, "")
    .trim();
}
