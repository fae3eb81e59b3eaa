// What the command line needs of this floor and programs do not.
export { tableText } from "./frame/table-text.ts";
export { filesFrame, queryFrame } from "./query/query.ts";
