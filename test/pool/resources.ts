/** Handles and requests that keep the program, beside those of the test runner. */
export function resources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => /Process|MessagePort|Worker|Pipe/.test(name))
    .sort();
}
