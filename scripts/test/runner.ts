import { run } from "node:test";
import { spec } from "node:test/reporters";

/**
 * `node runner.ts CONCURRENCY TIMEOUT FILE…`: what `node --test` does, but with the files in the order in which they are
 * given. That one sorts them by path, so that a long one may be the last to begin, and be waited for alone.
 */
const [concurrency, timeout, ...files] = process.argv.slice(2);
const stop = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    process.exitCode = 130;
    stop.abort();
  });
}
run({
  files,
  concurrency: Number(concurrency),
  execArgv: [`--test-timeout=${timeout}`],
  signal: stop.signal,
})
  .on("test:fail", () => {
    process.exitCode ??= 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
