/**
 * Thrift's compact protocol, in which Parquet writes what a file holds. Read without a schema, so that what is written again keeps
 * every field that its writer gave. Source: the protocol's specification, "Thrift compact protocol encoding".
 */

/** The types of fields. A boolean of a struct has its value in the type; in a list it is a byte. */
export const THRIFT = {
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  map: 11,
  struct: 12,
} as const;

export type ThriftValue = boolean | number | bigint | Uint8Array | ThriftList | ThriftMap | ThriftStruct;

export interface ThriftField {
  readonly type: number;
  readonly value: ThriftValue;
}

/** The fields by their numbers. */
export type ThriftStruct = Map<number, ThriftField>;

export interface ThriftList {
  readonly elementType: number;
  readonly items: ThriftValue[];
}

export interface ThriftMap {
  readonly keyType: number;
  readonly valueType: number;
  readonly entries: [ThriftValue, ThriftValue][];
}

/** No structure of Parquet is nested so deep. */
const DEEPEST = 32;

/** Reads one struct. Throws a RangeError where the bytes are not one. */
export class ThriftReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** How many bytes have been read. */
  get position(): number {
    return this.#at;
  }

  struct(depth = 0): ThriftStruct {
    if (depth > DEEPEST) throw new RangeError("it is nested too deep");
    const fields: ThriftStruct = new Map();
    let id = 0;
    for (;;) {
      const head = this.#byte();
      if (head === 0) return fields;
      const type = head & 0x0f;
      const delta = head >> 4;
      id = delta === 0 ? Number(unzigzag(this.#varint())) : id + delta;
      if (fields.has(id)) throw new RangeError(`field ${id} comes twice`);
      fields.set(id, { type, value: this.#value(type, depth, true) });
    }
  }

  #value(type: number, depth: number, isField: boolean): ThriftValue {
    switch (type) {
      case THRIFT.true:
      case THRIFT.false:
        return isField ? type === THRIFT.true : this.#byte() === THRIFT.true;
      case THRIFT.byte:
        return (this.#byte() << 24) >> 24;
      case THRIFT.i16:
      case THRIFT.i32:
        return Number(unzigzag(this.#varint()));
      case THRIFT.i64:
        return unzigzag(this.#varint());
      case THRIFT.double:
        return this.#take(8).readDoubleLE(0);
      case THRIFT.binary:
        return this.#take(Number(this.#varint()));
      case THRIFT.list:
      case THRIFT.set:
        return this.#list(depth + 1);
      case THRIFT.map:
        return this.#map(depth + 1);
      case THRIFT.struct:
        return this.struct(depth + 1);
      default:
        throw new RangeError(`there is no type ${type}`);
    }
  }

  #list(depth: number): ThriftList {
    if (depth > DEEPEST) throw new RangeError("it is nested too deep");
    const head = this.#byte();
    const elementType = head & 0x0f;
    const size = head >> 4 === 15 ? Number(this.#varint()) : head >> 4;
    this.#assertRoom(size);
    const items: ThriftValue[] = [];
    for (let n = 0; n < size; n++) items.push(this.#value(elementType, depth, false));
    return { elementType, items };
  }

  #map(depth: number): ThriftMap {
    if (depth > DEEPEST) throw new RangeError("it is nested too deep");
    const size = Number(this.#varint());
    if (size === 0) return { keyType: 0, valueType: 0, entries: [] };
    const types = this.#byte();
    this.#assertRoom(size * 2);
    const [keyType, valueType] = [types >> 4, types & 0x0f];
    const entries: [ThriftValue, ThriftValue][] = [];
    for (let n = 0; n < size; n++)
      entries.push([this.#value(keyType, depth, false), this.#value(valueType, depth, false)]);
    return { keyType, valueType, entries };
  }

  /** Each element takes a byte at least, so that no number may promise more of them than there are bytes. */
  #assertRoom(elements: number): void {
    if (elements > this.#bytes.length - this.#at) throw new RangeError("it ends too early");
  }

  #byte(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new RangeError("it ends too early");
    return byte;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("it ends too early");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }

  #varint(): bigint {
    let small = 0;
    // Most numbers are short, and plain numbers hold 28 bits of them.
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#byte();
      small |= (byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt(small);
    }
    let large = BigInt(small);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      large |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, large);
    }
    throw new RangeError("a number has no end");
  }
}

function unzigzag(value: bigint): bigint {
  return (value >> 1n) ^ -(value & 1n);
}

/** Writes one struct. */
export function writeStruct(fields: ThriftStruct): Buffer {
  const writer = new ThriftWriter();
  writer.struct(fields);
  return writer.bytes();
}

class ThriftWriter {
  #bytes = Buffer.allocUnsafe(4096);
  #length = 0;

  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  struct(fields: ThriftStruct): void {
    let before = 0;
    for (const id of [...fields.keys()].sort((a, b) => a - b)) {
      const { type, value } = fields.get(id) as ThriftField;
      const tag = typeof value === "boolean" ? (value ? THRIFT.true : THRIFT.false) : type;
      const delta = id - before;
      if (delta > 0 && delta <= 15) this.#byte((delta << 4) | tag);
      else {
        this.#byte(tag);
        this.#varint(zigzag(BigInt(id)));
      }
      before = id;
      if (typeof value !== "boolean") this.#value(type, value);
    }
    this.#byte(0);
  }

  #value(type: number, value: ThriftValue): void {
    switch (type) {
      case THRIFT.true:
      case THRIFT.false:
        this.#byte(value === true ? THRIFT.true : THRIFT.false);
        break;
      case THRIFT.byte:
        this.#byte((value as number) & 0xff);
        break;
      case THRIFT.i16:
      case THRIFT.i32:
        this.#varint(zigzag(BigInt(value as number)));
        break;
      case THRIFT.i64:
        this.#varint(zigzag(value as bigint));
        break;
      case THRIFT.double: {
        const bytes = Buffer.allocUnsafe(8);
        bytes.writeDoubleLE(value as number, 0);
        this.#append(bytes);
        break;
      }
      case THRIFT.binary:
        this.#varint(BigInt((value as Uint8Array).length));
        this.#append(value as Uint8Array);
        break;
      case THRIFT.list:
      case THRIFT.set:
        this.#list(value as ThriftList);
        break;
      case THRIFT.map:
        this.#map(value as ThriftMap);
        break;
      default:
        this.struct(value as ThriftStruct);
        break;
    }
  }

  #list({ elementType, items }: ThriftList): void {
    if (items.length < 15) this.#byte((items.length << 4) | elementType);
    else {
      this.#byte(0xf0 | elementType);
      this.#varint(BigInt(items.length));
    }
    for (const item of items) this.#value(elementType, item);
  }

  #map({ keyType, valueType, entries }: ThriftMap): void {
    this.#varint(BigInt(entries.length));
    if (entries.length === 0) return;
    this.#byte((keyType << 4) | valueType);
    for (const [key, value] of entries) {
      this.#value(keyType, key);
      this.#value(valueType, value);
    }
  }

  #varint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#byte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#byte(Number(rest));
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = byte;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + more));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

function zigzag(value: bigint): bigint {
  return (value << 1n) ^ (value >> 63n);
}
