import type { Command } from "commander";
import { PawlError } from "../../errors.ts";

/** An empty text is what stands for NULL; for the others, a blank means itself. */
const mayBeEmpty: ReadonlySet<string> = new Set(["null"]);
const mayBeBlank: ReadonlySet<string> = new Set([
  "null",
  "delimiter",
  "quote",
  "escape",
  "comment",
  "decimal",
  "thousands",
]);

/**
 * Refuses an option or an argument that was given and is empty, such as one made of a variable of the shell that is not
 * set: a condition that is not there would mean every row.
 */
export function refuseEmpty(command: Command): void {
  for (const option of command.options) {
    const name = option.attributeName();
    const given: unknown = command.getOptionValue(name);
    for (const value of Array.isArray(given) ? given : [given]) {
      if (typeof value !== "string" || !isEmpty(value, name)) continue;
      throw empty(option.long ?? option.flags, "leave the option out if you mean that");
    }
  }
  command.args.forEach((value, at) => {
    const argument = command.registeredArguments[Math.min(at, command.registeredArguments.length - 1)];
    if (isEmpty(value, "")) throw empty(`<${argument?.name() ?? "argument"}>`, "name it");
  });
}

function isEmpty(value: string, name: string): boolean {
  if (value === "") return !mayBeEmpty.has(name);
  return value.trim() === "" && !mayBeBlank.has(name);
}

function empty(what: string, advice: string): PawlError {
  return new PawlError(
    "usage.empty",
    `${what} was given without a value (is a variable of the shell not set?): ${advice}.`,
  );
}
