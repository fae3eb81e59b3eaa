/** The promise is broken: what was seen is not what must be. */
export class Mismatch extends Error {
  override readonly name = "Mismatch";
}

export function expect(holds: boolean, message: () => string): asserts holds {
  if (!holds) throw new Mismatch(message());
}
