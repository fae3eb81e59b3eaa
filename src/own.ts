/**
 * A property of the record itself. A name that comes from outside, such as a column, a header or an option, may be
 * called `constructor` or `toString`, which every object inherits and which no record means.
 */
export function own<V>(record: Readonly<Record<string, V>>, name: string): V | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** Gives the record itself a property. An assignment to `__proto__` would call the setter that every object inherits. */
export function setOwn<V>(record: Record<string, V>, name: string, value: V): void {
  if (name !== "__proto__") record[name] = value;
  else Object.defineProperty(record, name, { value, writable: true, enumerable: true, configurable: true });
}
