/**
 * Reads ahead of the consumer, in order, while what is waiting holds less than `wanted` bytes (one value always may),
 * so that reading and transforming overlap with writing in bounded memory. An error of the input is thrown where it
 * stands in the order. When the consumer stops early, `onStop` is called to wake an input that waits for data, and
 * the input is closed.
 */
export async function* prefetch<T extends { readonly bytes: number }>(
  input: AsyncIterable<T>,
  wanted: () => number,
  onStop: () => void = () => {},
): AsyncGenerator<T, void, undefined> {
  const waiting: T[] = [];
  let heldBytes = 0;
  let ended = false;
  let failure: { error: unknown } | null = null;
  let stopped = false;
  let wakeConsumer = () => {};
  let wakeProducer = () => {};

  const producing = (async () => {
    try {
      for await (const value of input) {
        waiting.push(value);
        heldBytes += value.bytes;
        wakeConsumer();
        while (!stopped && waiting.length > 0 && heldBytes >= wanted()) {
          await new Promise<void>((resolve) => {
            wakeProducer = resolve;
          });
        }
        if (stopped) return;
      }
    } catch (error) {
      failure = { error };
    } finally {
      ended = true;
      wakeConsumer();
    }
  })();

  try {
    for (;;) {
      const value = waiting.shift();
      if (value !== undefined) {
        heldBytes -= value.bytes;
        wakeProducer();
        yield value;
        continue;
      }
      if (failure !== null) throw (failure as { error: unknown }).error;
      if (ended) return;
      await new Promise<void>((resolve) => {
        wakeConsumer = resolve;
      });
    }
  } finally {
    stopped = true;
    onStop();
    wakeProducer();
    await producing;
  }
}
