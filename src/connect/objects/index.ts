import "../../node-version.ts";

export type { ObjectEntry, ObjectInfo, Transformed } from "./contract.ts";
export { type CopyOptions, copy } from "./copy.ts";
export { type VerifiedObject, type VerifyOptions, verify } from "./verify/verify.ts";
