import { type Command, InvalidArgumentError, Option } from "commander";
import { PawlError } from "../../errors.ts";

/** An option that may be given more than once. */
export function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, value];
}

/** A condition. Of two it is unclear whether both are meant or the last one; the last one alone would change more rows. */
export function once(value: string, before: string | undefined): string {
  if (before === undefined) return value;
  throw new InvalidArgumentError("It is given twice: join the two with AND.");
}

/**
 * An option that the command needs. Not `requiredOption` of commander, which asks for a missing option before it looks at the unknown
 * ones: `--tabel t` means the table.
 */
export function needed(command: Command, flags: string, description: string): Command {
  const option = new Option(flags, description);
  return command.addOption(option).hook("preAction", () => {
    if (command.getOptionValue(option.attributeName()) !== undefined) return;
    command.error(`error: the option '${flags}' is missing`);
  });
}

/** Says what is wrong with the command line in a sentence, and names the help of the command that was given. */
export function explainUsage(command: Command, words: readonly string[] = [command.name()]): void {
  const help = [...words, "--help"].join(" ");
  command.configureOutput({
    outputError: (text, write) => write(usageSentence(withHint(text, command), help)),
  });
  for (const each of command.commands) explainUsage(each, [...words, each.name()]);
}

/** An unknown option with the one that is meant, where commander finds none: it minds capitals, and takes a value for a part of the name. */
function withHint(text: string, command: Command): string {
  const [, typed, value] = /^error: unknown option '(--?[^=']+)(=[^\n]*)?'\s*$/.exec(text) ?? [];
  if (typed === undefined) return text;
  const options = [command, ...ancestorsOf(command)].flatMap((each) => each.options);
  const option =
    options.find(({ long }) => long === typed) ??
    options.find(({ long }) => long?.toLowerCase() === typed.toLowerCase());
  if (option === undefined) return text;
  if (value === undefined || option.long !== typed)
    return `error: unknown option '${typed}'\n(Did you mean ${option.long}?)`;
  return `error: the option '${typed}' takes no value`;
}

function ancestorsOf({ parent }: Command): Command[] {
  return parent === null ? [] : [parent, ...ancestorsOf(parent)];
}

/** What commander says about a wrong command line, as one sentence of ours. */
function usageSentence(text: string, help: string): string {
  const said = text
    .replace(/^error: /, "")
    .replace(/^missing required argument '(.*)'/, "the argument <$1> is missing")
    .trim()
    .replace(/\.?\s*\n\(Did you mean (.*)\?\)$/, ", did you mean $1?")
    .replace(/\.$/, "");
  return `pawl: ${said}${said.endsWith("?") ? " See" : "; see"} ${help}.\n`;
}

/** For `--null` an empty text means something; for the others of these, a blank does. */
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
 * set: an empty condition would mean every row.
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
  // What a command without arguments was left with are the words of the command below it, which is asked itself.
  if (command.registeredArguments.length === 0) return;
  command.args.forEach((value, at) => {
    const argument = command.registeredArguments[Math.min(at, command.registeredArguments.length - 1)];
    if (isEmpty(value, "")) throw empty(`<${argument?.name()}>`, "name it");
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
