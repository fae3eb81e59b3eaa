/** What the floors above need of CSV files, and a user does not. */
export { compressionOf, Decompressor } from "./open/decompress.ts";
export { sharedFile } from "./open/file-identity.ts";
export { type WaitingForInput, waitingForInput } from "./open/pipe.ts";
export { redactPath, redactPaths } from "./open/redacted-path.ts";
export { withoutDefaults } from "./options.ts";
export { writeField } from "./rows/row-decoder.ts";
