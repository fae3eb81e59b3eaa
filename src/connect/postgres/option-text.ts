/**
 * A text as the value of an option in a message, which names options as code in backticks: `set: { "a": "b + 1" }`. It can be pasted
 * into TypeScript, and holds no backtick, which would end the code: the command line finds the option and its value by them.
 */
export function optionText(value: string): string {
  return JSON.stringify(value).replaceAll("`", "\\u0060");
}
