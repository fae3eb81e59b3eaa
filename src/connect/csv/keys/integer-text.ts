/** Whole numbers of up to 30 digits in two halves, so that 64-bit keys compare exactly without BigInt. */
const HALF = 15;

/**
 * Reads a whole number as PostgreSQL takes it, blanks, sign and leading zeros aside. The value is
 * `high × 10^15 + low`; both have its sign.
 */
export class IntegerText {
  high = 0;
  low = 0;

  /** Whether `bytes[from, to)` is a decimal number of at most 30 digits; then `high` and `low` hold it. */
  read(bytes: Buffer, from: number, to: number): boolean {
    let at = from;
    let end = to;
    while (at < end && isBlank(bytes[at] as number)) at++;
    while (end > at && isBlank(bytes[end - 1] as number)) end--;
    const sign = bytes[at];
    const negative = sign === 45;
    if (at < end && (negative || sign === 43)) at++;
    if (at === end) return false;
    while (at < end - 1 && bytes[at] === 48) at++;
    const digits = end - at;
    if (digits > 2 * HALF) return false;
    let value = 0;
    let high = 0;
    const split = end - HALF;
    for (; at < end; at++) {
      if (at === split) {
        high = value;
        value = 0;
      }
      const digit = (bytes[at] as number) - 48;
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
    }
    // Adding zero turns -0 into 0.
    this.high = (negative ? -high : high) + 0;
    this.low = (negative ? -value : value) + 0;
    return true;
  }

  /** The same for the rarer notations `0x1f`, `0o17`, `0b11` and `1_000`. */
  readRare(text: string): boolean {
    const match =
      /^\s*([+-]?)((?:0[xX](?:_?[0-9a-fA-F])+)|(?:0[oO](?:_?[0-7])+)|(?:0[bB](?:_?[01])+)|\d+(?:_\d+)*)\s*$/.exec(
        text,
      );
    if (!match) return false;
    const value = BigInt((match[2] as string).replaceAll("_", ""));
    const decimal = Buffer.from(`${match[1]}${value}`);
    return this.read(decimal, 0, decimal.length);
  }
}

/** What C's `isspace` takes as a blank. */
function isBlank(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}
