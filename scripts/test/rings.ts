import { globSync } from "node:fs";
import { quickFiles } from "./quick.ts";

const find = (root: string, ...patterns: string[]): string[] => globSync(patterns, { cwd: root }).sort();
const gate = (root: string): string[] => find(root, "test/**/*.test.ts", "recipes/**/*.test.ts");

/** What each ring runs, as paths from the root of the repository. */
export const rings = new Map<string, (root: string) => string[]>([
  // npm packages only.
  ["gate", gate],
  // Of the gate, what needs neither a server nor a process of its own.
  ["quick", (root) => quickFiles(root, gate(root))],
  // Real servers in other languages.
  ["referees", (root) => find(root, "test/**/*.referee.ts")],
  // What takes minutes, apart from chaos and kills, which are programs of their own.
  ["long", (root) => find(root, "test/**/*.long.ts")],
]);
