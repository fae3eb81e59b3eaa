import { serverProgram, whyNoServer } from "./build.ts";

// Before all tests, so that none of them waits for a compiler. Where it does not come about, those that need it say so.
const why = whyNoServer();
if (why !== null) console.error(`Tests of objects are skipped: ${why}.`);
else await serverProgram().catch((error: Error) => console.error(error.message));
