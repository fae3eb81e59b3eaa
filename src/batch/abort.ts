/**
 * What the promise gives, unless a signal aborts before: then its reason is thrown, and the promise is left behind.
 * Foreign code may ignore the signal it was given; nobody has to wait for it.
 */
export async function orAborted<T>(
  promise: PromiseLike<T> | T,
  ...signals: readonly AbortSignal[]
): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  const listening = signals.map((signal) => {
    const abort = () => aborted.reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    return { signal, abort };
  });
  try {
    return await Promise.race([aborted.promise, promise]);
  } finally {
    for (const { signal, abort } of listening) signal.removeEventListener("abort", abort);
  }
}

/** Waits for what was told to end, but not for longer than `ms`. Its errors are nobody's any more. */
export async function settledWithin(promise: PromiseLike<unknown> | undefined, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  const settled = Promise.resolve(promise).then(
    () => {},
    () => {},
  );
  await Promise.race([settled, late.promise]);
  clearTimeout(timer);
}
