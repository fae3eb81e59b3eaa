import type { Command } from "commander";
import { PawlError } from "../errors.ts";
import { examples } from "./options/shared.ts";
import { print } from "./terminal/output.ts";

/** What the shell's script calls with the words of a line, the last of which is not complete yet. */
const REQUEST = "complete";
const NAME = "completion";

/**
 * The scripts of the shells. Each asks `pawl complete` for lines of a word and its description, and completes the names of files where it
 * gets none. The words of the line are passed on as they are: nothing in them is evaluated.
 */
const SCRIPTS: ReadonlyMap<string, string> = new Map([
  [
    "bash",
    `_pawl() {
  local IFS=$'\\n'
  COMPREPLY=($(pawl ${REQUEST} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
  COMPREPLY=("\${COMPREPLY[@]%%$'\\t'*}")
}
complete -o default -F _pawl pawl`,
  ],
  [
    "zsh",
    `#compdef pawl
_pawl() {
  local -a lines words_found
  lines=("\${(@f)$(pawl ${REQUEST} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -z "\${lines[1]}" ]]; then
    _files
    return
  fi
  words_found=("\${(@)lines//:/\\\\:}")
  words_found=("\${(@)words_found/$'\\t'/:}")
  _describe pawl words_found
}
if [[ "\${funcstack[1]}" == _pawl ]]; then _pawl "$@"; else compdef _pawl pawl; fi`,
  ],
  [
    "fish",
    `function __pawl_complete
  set -l words (commandline -opc) (commandline -ct)
  pawl ${REQUEST} -- $words[2..-1] 2>/dev/null
end
complete -c pawl -a '(__pawl_complete)'`,
  ],
]);

/** Whether a command is one of these two, which get words that are not complete yet, and need no store. */
export function isCompletion(command: Command): boolean {
  return command.name() === NAME || command.name() === REQUEST;
}

/** `pawl completion bash|zsh|fish`, and the command that the scripts call. */
export function completionCommand(pawl: Command): void {
  const completion = pawl
    .command(NAME)
    .description("print the script by which your shell completes commands, options and files")
    .argument("<shell>", "bash, zsh or fish");
  examples(
    completion,
    'eval "$(pawl completion bash)"     # in ~/.bashrc',
    'eval "$(pawl completion zsh)"      # in ~/.zshrc, after compinit',
    "pawl completion fish | source      # in ~/.config/fish/config.fish",
  ).action((shell: string) => {
    const script = SCRIPTS.get(shell);
    if (script === undefined)
      throw new PawlError("usage.shell", `pawl completion takes bash, zsh or fish, not "${shell}".`);
    print(script);
  });
  pawl
    .command(REQUEST, { hidden: true })
    .argument("[words...]")
    .action((words: string[]) => {
      const lines = completionsOf(pawl, words);
      if (lines.length > 0) print(lines);
    });
}

/** The words that may stand in place of the last one, each with a tab and its description; none where a value or a file is meant. */
export function completionsOf(pawl: Command, words: readonly string[]): string[] {
  const before = words.slice(0, -1);
  const last = words.at(-1) ?? "";
  let command = pawl;
  let takesValue = false;
  let isGiven = false;
  for (const word of before) {
    const option = optionsOf(command).find(({ long, short }) => word === long || word === short);
    if (takesValue) takesValue = false;
    else if (option !== undefined) takesValue = option.required || option.optional;
    else if (!word.startsWith("-")) {
      const within = command.commands.find((each) => each.name() === word);
      isGiven ||= within === undefined;
      command = within ?? command;
    }
  }
  if (takesValue) return [];
  const help = pawl.createHelp();
  const found = last.startsWith("-")
    ? optionsOf(command)
        .filter(({ hidden }) => !hidden)
        .map(({ long, description }) => [long ?? "", description] as const)
    : isGiven
      ? []
      : help.visibleCommands(command).map((each) => [each.name(), each.description()] as const);
  return found
    .filter(([word]) => word.startsWith(last))
    .map(([word, description]) => `${word}\t${description}`);
}

/** The options of a command, of `list` where that is what it does by itself, and of the commands that it is part of. */
function optionsOf(command: Command): Command["options"] {
  const list = command.commands.find((each) => each.name() === "list");
  const options = [...command.options, ...(list?.options ?? [])];
  for (let above = command.parent; above !== null; above = above.parent) options.push(...above.options);
  return options;
}
