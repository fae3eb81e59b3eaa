import { publicUrl } from "../../postgres-url.ts";

/** Characters that no shell takes for anything but themselves. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** A word as a POSIX shell reads it back. */
function shellWord(text: string): string {
  return PLAIN.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A command to continue with, as it can be pasted into the same shell: it names the store where an environment variable
 * did, which may have been set for one command only. A store with a password in its URL is not named.
 */
export function nextCommand(words: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const { PAWL_STORE: store, npm_command: npm } = env;
  const isSecret = store?.includes("://") === true && publicUrl(store) !== store;
  const variable = store && !isSecret ? `PAWL_STORE=${shellWord(store)} ` : "";
  // npx and the scripts of a package find what is installed in a folder; its shell does not.
  const pawl = npm === undefined ? "pawl" : "npx pawl";
  return `${variable}${pawl} ${words.map(shellWord).join(" ")}`;
}
