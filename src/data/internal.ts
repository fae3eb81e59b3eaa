// What the command line needs of this floor and programs do not.
export { rowJson } from "./frame/row-json.ts";
export { tableText } from "./frame/table-text.ts";
export { filesFrame, queryFrame } from "./query/query.ts";
export { schemaText } from "./schema/schema-text.ts";
