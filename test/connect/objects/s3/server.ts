import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Access, ObjectServer } from "./access.ts";
import { serverProgram } from "./build.ts";
import { S3Client } from "./client.ts";

/** A throwaway S3 server (versitygw over a folder) on a free port. Objects lie in the folder as plain files. */
export class S3Server implements ObjectServer {
  readonly access: Access;
  readonly #directory: string;
  #process: ChildProcess | null = null;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.access = {
      endpoint: `http://127.0.0.1:${port}`,
      accessKeyId: "pawl-test",
      // Must never be seen in what Pawl prints or keeps.
      secretAccessKey: "test-Secret-4417",
      region: "us-east-1",
    };
  }

  /** Builds the server if this machine has not done so before, which takes a minute or two, and starts it. */
  static async start(parent = tmpdir()): Promise<S3Server> {
    const program = await serverProgram();
    const directory = await mkdtemp(join(parent, "pawl-s3-"));
    const server = new S3Server(directory, await freePort());
    for (const name of ["objects", "attributes"]) await mkdir(join(directory, name));
    // Attributes in files of their own, which costs twice as much, where the file system has no extended ones.
    if (!(await server.#run(program, []))) {
      const sidecar = ["--sidecar", join(directory, "attributes")];
      if (!(await server.#run(program, sidecar))) throw new Error(`The S3 server ended: ${server.#said()}`);
    }
    return server;
  }

  /** A client of the tests' own, for looking and preparing. */
  client(bucket: string): S3Client {
    return new S3Client(this.access, bucket);
  }

  /** A new, empty bucket. */
  async bucket(name: string): Promise<S3Client> {
    const client = this.client(name);
    await client.createBucket();
    return client;
  }

  /** Where a bucket's objects lie as files. */
  folderOf(bucket: string): string {
    return join(this.#directory, "objects", bucket);
  }

  /** Removes a bucket with all that is in it, faster than by requests. */
  async dropBucket(name: string): Promise<void> {
    for (const part of ["objects", "attributes"])
      await rm(join(this.#directory, part, name), { recursive: true, force: true, maxRetries: 3 });
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = null;
    if (running && running.exitCode === null && running.signalCode === null) {
      const ended = once(running, "exit");
      running.kill("SIGKILL");
      await ended;
    }
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** False when the server ended at once. */
  async #run(program: string, flags: readonly string[]): Promise<boolean> {
    const log = openSync(join(this.#directory, "log"), "a");
    const { endpoint, accessKeyId, secretAccessKey, region } = this.access;
    const general = ["--port", new URL(endpoint).host, "--region", region, "--health", "/health-of-server"];
    const server = spawn(
      program,
      [...general, "--quiet", "--keep-alive", "posix", ...flags, join(this.#directory, "objects")],
      {
        env: { ...process.env, ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
        stdio: ["ignore", log, log],
      },
    );
    closeSync(log);
    this.#process = server;
    // A test that dies leaves no server behind.
    const end = () => server.kill("SIGKILL");
    process.once("exit", end);
    server.once("exit", () => process.removeListener("exit", end));
    for (const started = Date.now(); !(await answers(endpoint)); await sleep(20)) {
      if (server.exitCode !== null) return false;
      if (Date.now() - started > 60_000) throw new Error(`The S3 server does not answer: ${this.#said()}`);
    }
    return true;
  }

  #said(): string {
    return readFileSync(join(this.#directory, "log"), "utf8").slice(-2000);
  }
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    const response = await fetch(`${endpoint}/health-of-server`);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}
