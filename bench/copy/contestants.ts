import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Measured, measure } from "../load/measure.ts";
import type { Places } from "./places.ts";

/** One side of a copy: a folder, or a bucket of one of the two servers. */
export type Side =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "bucket"; readonly server: "near" | "far"; readonly name: string };

export interface Order {
  readonly from: Side;
  readonly to: Side;
  /** Large objects are copied with other settings than small ones, where a program's documentation says so. */
  readonly large: boolean;
}

export interface Contestant {
  readonly name: string;
  /** s5cmd knows one endpoint at a time. */
  readonly betweenServers: boolean;
  copy(places: Places, order: Order): Promise<Measured>;
}

const peers = join(import.meta.dirname, "..", ".peers");
const command = join(import.meta.dirname, "..", "..", "bin", "pawl.cjs");

/**
 * `pawl copy` as a user gives it. Each pair of places has a store of its own: the second copy of a pair is a new run, beside
 * which lie the checksums of the files that the first one has read.
 */
const pawl: Contestant = {
  name: "pawl",
  betweenServers: true,
  async copy(places, { from, to }) {
    const pair = createHash("md5")
      .update(JSON.stringify([from, to]))
      .digest("hex");
    const store = join(places.directory, `store-${pair}`);
    mkdirSync(store, { recursive: true });
    const side = (each: Side) => (each.kind === "folder" ? each.path : `s3://${each.name}`);
    const profile = (flag: string, each: Side) => (each.kind === "bucket" ? [flag, each.server] : []);
    const args = [
      ...[command, "copy", side(from), side(to), "--json"],
      ...profile("--from-profile", from),
      ...profile("--to-profile", to),
    ];
    const measured = await measure(process.execPath, args, {
      ...places.profiles,
      PAWL_STORE: join(store, "pawl.db"),
    });
    const { state, quarantined } = JSON.parse(measured.stdout.trim().split("\n").at(-1) ?? "");
    if (state !== "succeeded" || quarantined !== 0)
      throw new Error(`pawl copy came to ${measured.stdout.trim()}`);
    return measured;
  },
};

/**
 * rclone with what its documentation advises: more transfers and checkers for many small objects, `--fast-list` and
 * `--checksum` so that a comparison needs the listing alone and no request an object, and for large objects more
 * parts at once. Checksums are compared by both programs, so `--size-only` would not be the same work.
 */
const rclone: Contestant = {
  name: "rclone",
  betweenServers: true,
  copy(places, { from, to, large }) {
    const side = (each: Side) => (each.kind === "folder" ? each.path : `${each.server}:${each.name}`);
    const many = ["--transfers", "32", "--checkers", "32"];
    const parts = ["--transfers", "4", "--s3-upload-concurrency", "4", "--s3-chunk-size", "16M"];
    const args = [
      "--fast-list",
      "--checksum",
      "--s3-no-check-bucket",
      "--stats",
      "0",
      ...(large ? parts : many),
    ];
    return measure(peer("bin/rclone"), ["copy", side(from), side(to), ...args], places.rclone);
  },
};

/** s5cmd with its defaults, which are 256 workers, and parts of 50 MB, 5 at once. */
const s5cmd: Contestant = {
  name: "s5cmd",
  betweenServers: false,
  copy(places, { from, to }) {
    const side = (each: Side, pattern: string) =>
      each.kind === "folder" ? `${each.path}/` : `s3://${each.name}/${pattern}`;
    const args = ["--log", "error", "cp", side(from, "*"), side(to, "")];
    return measure(s5cmdProgram(), args, places.aws);
  },
};

export const contestants: readonly Contestant[] = [pawl, rclone, s5cmd];

function peer(path: string): string {
  const found = join(peers, path);
  if (!existsSync(found)) throw new Error(`${path} is not installed: run bench/peers.sh`);
  return found;
}

/** The program itself: what the package puts into `bin` would start Python first. */
function s5cmdProgram(): string {
  const lib = peer("lib");
  const python = readdirSync(lib).find((name) => name.startsWith("python"));
  return peer(join("lib", python ?? "python3", "site-packages", "s5cmd", "bin", "s5cmd"));
}
