/** Whether an object is made by a literal, or has no prototype; of this realm or another one. An instance of a class is neither. */
export function isPlainObject(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}
