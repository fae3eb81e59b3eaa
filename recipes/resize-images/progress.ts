/** Says how far it is: in place on a terminal, with a line every few seconds elsewhere. */
export function startProgress(total: number) {
  const terminal = process.stderr.isTTY;
  const from = performance.now();
  let done = 0;
  const line = () => {
    const seconds = (performance.now() - from) / 1000;
    const rate = done / seconds;
    const left = done === 0 ? "" : `, ${Math.ceil((total - done) / rate)} s left`;
    return `${done} of ${total}, ${rate.toFixed(1)}/s${left}`;
  };
  const timer = setInterval(
    () => process.stderr.write(terminal ? `\r\x1b[K${line()}` : `${line()}\n`),
    terminal ? 200 : 5000,
  );
  return {
    advance() {
      done++;
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      if (terminal) process.stderr.write("\r\x1b[K");
    },
  };
}
