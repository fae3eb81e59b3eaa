import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { quickFiles } from "./quick.ts";

const find = (root: string, ...patterns: string[]): string[] => globSync(patterns, { cwd: root }).sort();
const gate = (root: string): string[] => find(root, "test/**/*.test.ts", "recipes/**/*.test.ts");

/** What each ring runs, as paths from the root of the repository. */
export const rings = new Map<string, (root: string) => string[]>([
  // npm packages only.
  ["gate", gate],
  // Of the gate, what needs neither a server nor a process of its own.
  ["quick", (root) => quickFiles(root, gate(root))],
  // Of the gate, the properties that are tried more often where there is time.
  [
    "properties",
    (root) =>
      gate(root).filter((file) => /\bruns\b.*random\.ts"/.test(readFileSync(join(root, file), "utf8"))),
  ],
  // Real servers in other languages.
  ["referees", (root) => find(root, "test/**/*.referee.ts")],
  // What takes minutes, apart from chaos and kills, which are programs of their own.
  ["long", (root) => find(root, "test/**/*.long.ts", "recipes/**/*.long.ts")],
]);
