import { crc32, deflateRawSync } from "node:zlib";

export interface Packed {
  readonly name: string;
  readonly text: string;
  /** Stored instead of packed. */
  readonly stored?: boolean;
  readonly encrypted?: boolean;
  /** What the archive says, where that is a lie. */
  readonly size?: number;
  readonly crc?: number;
  /** How the archive says that it is packed. */
  readonly method?: number;
  /** Sizes and offsets stand in 64 bits. */
  readonly large?: boolean;
}

/** A zip archive, byte by byte, so that it can be wrong in every way: so may the number of members that it states. */
export function zipFile(members: readonly Packed[], count = Math.min(members.length, 0xffff)): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, text, stored = false, encrypted = false, large = false, ...said } of members) {
    const bytes = Buffer.from(text);
    const packed = stored ? bytes : deflateRawSync(bytes);
    const size = said.size ?? bytes.length;
    const head = Buffer.alloc(26);
    head.writeUInt16LE(large ? 45 : 20, 0);
    head.writeUInt16LE(0x800 | (encrypted ? 1 : 0), 2);
    head.writeUInt16LE(said.method ?? (stored ? 0 : 8), 4);
    head.writeUInt32LE(said.crc ?? crc32(bytes), 10);
    head.writeUInt32LE(packed.length, 14);
    head.writeUInt32LE(size, 18);
    head.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), head, Buffer.from(name), packed]);
    const central = Buffer.alloc(42);
    central.writeUInt16LE(45, 0);
    head.copy(central, 2, 0, 24);
    const extra = large ? Buffer.alloc(28) : Buffer.alloc(0);
    if (large) {
      extra.writeUInt16LE(1, 0);
      extra.writeUInt16LE(24, 2);
      extra.writeBigUInt64LE(BigInt(size), 4);
      extra.writeBigUInt64LE(BigInt(packed.length), 12);
      extra.writeBigUInt64LE(BigInt(offset), 20);
      central.writeUInt32LE(0xffffffff, 16);
      central.writeUInt32LE(0xffffffff, 20);
    }
    central.writeUInt16LE(extra.length, 26);
    central.writeUInt32LE(large ? 0xffffffff : offset, 38);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02"), central, Buffer.from(name), extra]));
    files.push(local);
    offset += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(count, 4);
  end.writeUInt16LE(count, 6);
  end.writeUInt32LE(list.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, list, Buffer.from("PK\x05\x06"), end]);
}
