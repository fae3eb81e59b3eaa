import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runInHost } from "../../cli/host.ts";
import { type Outcome, Running } from "../../cli/scene.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { type ObjectServer, profileOf } from "./s3/access.ts";
import type { S3Client } from "./s3/client.ts";
import { startObjects } from "./s3/start.ts";

const main = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const compileCache = join(tmpdir(), "pawl-test-compile-cache");

/** What an object is, apart from when it was written. */
export interface Seen {
  readonly size: number;
  readonly md5: string;
}

/**
 * Two providers, each behind a proxy of its own, and a folder in which pawl is used as a person would: `--from-profile
 * near` and `--to-profile far` lead through the proxies.
 */
export class CopyScene implements AsyncDisposable {
  readonly folder: string;
  /** Between Pawl and the two servers. */
  readonly near: FaultProxy;
  readonly far: FaultProxy;
  readonly source: S3Client;
  readonly target: S3Client;
  readonly #running = new Set<Running>();

  private constructor(
    folder: string,
    proxies: { near: FaultProxy; far: FaultProxy },
    buckets: { source: S3Client; target: S3Client },
  ) {
    this.folder = folder;
    this.near = proxies.near;
    this.far = proxies.far;
    this.source = buckets.source;
    this.target = buckets.target;
  }

  /** A bucket of this name on both sides. */
  static async begin(servers: Servers, name: string): Promise<CopyScene> {
    const folder = await mkdtemp(join(tmpdir(), "pawl-copy-"));
    const near = await FaultProxy.start(servers.near.access.endpoint);
    const far = await FaultProxy.start(servers.far.access.endpoint);
    const source = await servers.near.bucket(name);
    const target = await servers.far.bucket(name);
    await writeFile(
      join(folder, "aws-config"),
      profileOf("near", servers.near.access, near.url) + profileOf("far", servers.far.access, far.url),
    );
    return new CopyScene(folder, { near, far }, { source, target });
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  async write(name: string, content: string | Buffer): Promise<string> {
    await mkdir(dirname(this.path(name)), { recursive: true });
    await writeFile(this.path(name), content);
    return this.path(name);
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      NODE_COMPILE_CACHE: compileCache,
      PAWL_STORE: this.path(".pawl/store.db"),
      PAWL_LEASE_MS: "3000",
      AWS_CONFIG_FILE: this.path("aws-config"),
      AWS_SHARED_CREDENTIALS_FILE: this.path("none"),
    };
  }

  /** In a process of its own, which may be killed. */
  start(...args: string[]): Running {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: this.folder,
      env: this.#environment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const running = new Running(child);
    this.#running.add(running);
    void running.ended.then(() => this.#running.delete(running));
    return running;
  }

  /** Up to its end, in a process that it shares with others. */
  pawl(...args: string[]): Promise<Outcome> {
    return runInHost({ args, cwd: this.folder, env: this.#environment() });
  }

  /** `pawl copy` from bucket to bucket. */
  startCopy(...flags: string[]): Running {
    return this.start(...this.#copying(flags));
  }

  copy(...flags: string[]): Promise<Outcome> {
    return this.pawl(...this.#copying(flags));
  }

  #copying(flags: readonly string[]): string[] {
    const [from, to] = [`s3://${this.source.bucket}`, `s3://${this.target.bucket}`];
    return ["copy", from, to, "--from-profile", "near", "--to-profile", "far", "--json", ...flags];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running) child.kill("SIGKILL");
    await Promise.all([...this.#running].map(({ ended }) => ended));
    await this.near.stop();
    await this.far.stop();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** The two servers of a test file. */
export class Servers {
  readonly near: ObjectServer;
  readonly far: ObjectServer;

  private constructor(near: ObjectServer, far: ObjectServer) {
    this.near = near;
    this.far = far;
  }

  static async start(): Promise<Servers> {
    const near = await startObjects();
    return new Servers(near, await startObjects());
  }

  async stop(): Promise<void> {
    await this.near.stop();
    await this.far.stop();
  }
}

/** All objects of a bucket, read whole. */
export async function bucketContents(bucket: S3Client): Promise<Record<string, Seen>> {
  const contents: Record<string, Seen> = {};
  for await (const { key } of bucket.list()) {
    const { body } = await bucket.get(key);
    contents[key] = { size: body.length, md5: md5(body) };
  }
  return contents;
}

/** All files below a folder, hidden ones too. */
export async function folderContents(folder: string): Promise<Record<string, Seen>> {
  const contents: Record<string, Seen> = {};
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const body = await readFile(path);
    contents[path.slice(folder.length + 1)] = { size: body.length, md5: md5(body) };
  }
  return Object.fromEntries(Object.entries(contents).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function md5(body: Buffer): string {
  return createHash("md5").update(body).digest("hex");
}
