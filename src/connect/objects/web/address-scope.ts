import { isIP } from "node:net";

/**
 * From how near an address is reached: a server farther away must not lead there what it could not reach itself. `guardedGet`
 * refuses such redirects.
 */
export type AddressScope = 0 | 1 | 2 | 3;
const [PUBLIC, PRIVATE, LINK_LOCAL, LOOPBACK] = [0, 1, 2, 3] as const;

const IPV4: readonly (readonly [network: string, bits: number, reach: AddressScope])[] = [
  ["127.0.0.0", 8, LOOPBACK],
  // Connects to this machine.
  ["0.0.0.0", 8, LOOPBACK],
  ["169.254.0.0", 16, LINK_LOCAL],
  ["10.0.0.0", 8, PRIVATE],
  ["172.16.0.0", 12, PRIVATE],
  ["192.168.0.0", 16, PRIVATE],
  ["100.64.0.0", 10, PRIVATE],
  ["192.0.0.0", 24, PRIVATE],
  ["192.0.2.0", 24, PRIVATE],
  ["198.18.0.0", 15, PRIVATE],
  ["198.51.100.0", 24, PRIVATE],
  ["203.0.113.0", 24, PRIVATE],
  ["224.0.0.0", 3, PRIVATE],
];

/** From how near an IP address is reached (RFC 6890). A text that is not an IP address is taken for the nearest. */
export function scopeOf(address: string): AddressScope {
  const plain = address.replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const kind = isIP(plain);
  if (kind === 4) return ofIPv4(numberOf(plain));
  if (kind !== 6) return LOOPBACK;
  const words = wordsOf(plain);
  const [first = 0, second = 0] = words;
  const tail = ((words[6] as number) * 0x10000 + (words[7] as number)) >>> 0;
  const isZero = (from: number, to: number) => words.slice(from, to).every((word) => word === 0);
  if (isZero(0, 7) && (words[7] as number) <= 1) return LOOPBACK;
  // An IPv4 address in another form: mapped, compatible, translated (RFC 6052), 6to4.
  if (isZero(0, 5) && (words[5] === 0xffff || words[5] === 0)) return ofIPv4(tail);
  if (isZero(0, 4) && words[4] === 0xffff && words[5] === 0) return ofIPv4(tail);
  if (first === 0x64 && second === 0xff9b) return ofIPv4(tail);
  if (first === 0x2002) return ofIPv4((second * 0x10000 + (words[2] as number)) >>> 0);
  if ((first & 0xffc0) === 0xfe80) return LINK_LOCAL;
  // Of all others only these are given to the public.
  return (first & 0xe000) === 0x2000 && !(first === 0x2001 && second === 0x0db8) ? PUBLIC : PRIVATE;
}

function ofIPv4(address: number): AddressScope {
  for (const [network, bits, reach] of IPV4)
    if ((address ^ numberOf(network)) >>> (32 - bits) === 0) return reach;
  return PUBLIC;
}

function numberOf(ipv4: string): number {
  return ipv4.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function wordsOf(ipv6: string): number[] {
  const text = ipv6.replace(/(\d+\.\d+\.\d+\.\d+)$/, (ipv4) => {
    const number = numberOf(ipv4);
    return `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`;
  });
  const [head = "", tail] = text.split("::", 2);
  const parts = (half: string) =>
    half === "" ? [] : half.split(":").map((word) => Number.parseInt(word, 16));
  const [before, behind] = [parts(head), tail === undefined ? [] : parts(tail)];
  return [...before, ...Array<number>(8 - before.length - behind.length).fill(0), ...behind];
}
