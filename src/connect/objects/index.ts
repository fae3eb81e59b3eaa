/** Objects of folders, S3, Azure Blob and the web: copying, comparing and listing them. */

import "../../node-version.ts";

export type { ObjectEntry, ObjectInfo, Transformed } from "./contract.ts";
export { type CopyOptions, copy } from "./copy.ts";
export type { SelectionOptions } from "./list/selection.ts";
export { type ObjectsOptions, objects } from "./objects-source.ts";
export { type VerifiedObject, type VerifyOptions, verify } from "./verify.ts";
