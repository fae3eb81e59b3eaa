export { addressName, parseAddress } from "./address.ts";
export type { ObjectAbout, ObjectEntry, Transformed } from "./contract.ts";
export { type CopyOptions, copy } from "./copy.ts";
export { type Verified, type VerifyOptions, verify } from "./verify/verify.ts";
