type View = NodeJS.ArrayBufferView<ArrayBufferLike>;

type Make = (memory: SharedArrayBuffer, byteOffset: number, length: number) => View;

/** Each kind of view, under the number that stands for it in encoded values. */
const kinds: readonly (readonly [name: string, make: Make])[] = [
  ["Int8Array", (memory, offset, length) => new Int8Array(memory, offset, length)],
  ["Uint8Array", (memory, offset, length) => new Uint8Array(memory, offset, length)],
  ["Uint8ClampedArray", (memory, offset, length) => new Uint8ClampedArray(memory, offset, length)],
  ["Int16Array", (memory, offset, length) => new Int16Array(memory, offset, length)],
  ["Uint16Array", (memory, offset, length) => new Uint16Array(memory, offset, length)],
  ["Int32Array", (memory, offset, length) => new Int32Array(memory, offset, length)],
  ["Uint32Array", (memory, offset, length) => new Uint32Array(memory, offset, length)],
  ["Float16Array", (memory, offset, length) => new Float16Array(memory, offset, length)],
  ["Float32Array", (memory, offset, length) => new Float32Array(memory, offset, length)],
  ["Float64Array", (memory, offset, length) => new Float64Array(memory, offset, length)],
  ["BigInt64Array", (memory, offset, length) => new BigInt64Array(memory, offset, length)],
  ["BigUint64Array", (memory, offset, length) => new BigUint64Array(memory, offset, length)],
  ["DataView", (memory, offset, length) => new DataView(memory, offset, length)],
  ["Buffer", (memory, offset, length) => Buffer.from(memory, offset, length)],
];

const numbers = new Map(kinds.map(([name], number) => [name, number]));

/** What kind of view it is; of a subclass, the kind it is built on. */
export function viewKind(view: View): number {
  const name = Buffer.isBuffer(view) ? "Buffer" : Object.prototype.toString.call(view).slice(8, -1);
  const number = numbers.get(name);
  if (number === undefined) throw new TypeError(`A view of the kind ${name} is unknown.`);
  return number;
}

/** How many elements; of a DataView, how many bytes. */
export function viewLength(view: View): number {
  return "length" in view ? (view.length as number) : view.byteLength;
}

/** A view of a kind over shared memory. */
export function makeView(kind: number, memory: SharedArrayBuffer, byteOffset: number, length: number): View {
  const make = kinds[kind]?.[1];
  if (make === undefined) throw new TypeError(`There is no kind ${kind} of view.`);
  return make(memory, byteOffset, length);
}
