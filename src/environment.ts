import { own } from "./own.ts";

/**
 * The value of an environment variable without the line end that a file with a secret leaves behind; undefined where the variable
 * is not set, or empty.
 */
export function environmentValue(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return own(env, name)?.replace(/\r?\n$/, "") || undefined;
}

/**
 * The name in a text such as `env:DATABASE_URL`, which stands for the value of that variable; null for any other text, also for one that
 * has an address with its password where the name belongs: names are shown in errors.
 */
export function variableName(text: string): string | null {
  return /^env:([a-z_]\w*)$/i.exec(text)?.[1] ?? null;
}
