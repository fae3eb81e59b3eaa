import { startObjects } from "./start.ts";

/**
 * For tests that may import nothing of ours: starts a server with the buckets that are named, prints how to reach it as
 * one line of JSON, and ends with its standard input.
 */
const server = await startObjects();
for (const name of process.argv.slice(2)) await server.bucket(name);
console.log(JSON.stringify(server.access));
process.stdin.resume();
process.stdin.once("close", () => void server.stop());
