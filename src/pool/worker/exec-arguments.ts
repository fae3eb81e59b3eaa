/** What Node was told about this program alone: a worker that was told the same would do something else. */
const alone = /^(--test|--watch|--input-type|--eval|--print|--check|--interactive|--inspect|-[epci]$|-pe$)/;

/** Arguments for a Node that is to run under the same conditions as this one. */
export function execArgumentsOf(given: readonly string[]): string[] {
  const kept: string[] = [];
  let drop = false;
  for (const argument of given) {
    // What is no flag is the value of the one before it.
    if (argument.startsWith("-")) drop = alone.test(argument);
    if (!drop) kept.push(argument);
  }
  return kept;
}
