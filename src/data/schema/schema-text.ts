import { type ColumnField, typeText } from "./column-type.ts";

/** Columns as a program writes them: what `readCsv` and its like take as the schema. */
export function schemaText(fields: readonly ColumnField[]): string {
  const lines = fields.map(({ name, type }) => `  ${propertyName(name)}: ${typeText(type)},`);
  return `{\n${lines.join("\n")}\n}`;
}

/** A name as a property of an object: in quotes where it is not an identifier, or would set the prototype. */
function propertyName(name: string): string {
  if (name === "__proto__") return '["__proto__"]';
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}
