import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Access, profileOf } from "../../test/connect/objects/s3/access.ts";
import { S3Server } from "../../test/connect/objects/s3/server.ts";

/** Two providers, a folder, and what each program must be told to find them. */
export class Places {
  readonly directory: string;
  readonly near: S3Server;
  readonly far: S3Server;
  #names = 0;

  private constructor(directory: string, near: S3Server, far: S3Server) {
    this.directory = directory;
    this.near = near;
    this.far = far;
    writeFileSync(join(directory, "config"), profileOf("near", near.access) + profileOf("far", far.access));
    writeFileSync(join(directory, "no-credentials"), "");
  }

  /** Runs `work` beside two throwaway servers, and leaves nothing behind, also when it is interrupted. */
  static async with(parent: string, work: (places: Places) => Promise<void>): Promise<void> {
    const directory = mkdtempSync(join(parent, "pawl-bench-"));
    const servers: S3Server[] = [];
    const interrupted = Promise.withResolvers<never>();
    interrupted.promise.catch(() => {});
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => interrupted.reject(new Error("interrupted")));
    try {
      const near = await S3Server.start(directory);
      servers.push(near);
      const far = await S3Server.start(directory);
      servers.push(far);
      await Promise.race([work(new Places(directory, near, far)), interrupted.promise]);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    } finally {
      for (const server of servers) await server.stop();
      // Node's own way holds the names of all that is to be removed in memory: there may be ten millions.
      spawnSync("rm", ["-rf", directory]);
    }
  }

  /** A new, empty bucket of one of the two. */
  async bucket(side: "near" | "far"): Promise<string> {
    const name = `bucket-${++this.#names}`;
    await this[side].bucket(name);
    return name;
  }

  folder(): string {
    return mkdtempSync(join(this.directory, "folder-"));
  }

  /** For programs that read what the AWS tools read: Pawl and s5cmd. Without a profile they find `near`. */
  get aws(): Record<string, string> {
    const { endpoint, accessKeyId, secretAccessKey, region } = this.near.access;
    return {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: region,
      AWS_ENDPOINT_URL: endpoint,
      S3_ENDPOINT_URL: endpoint,
      ...this.profiles,
    };
  }

  /** The profiles `near` and `far`, for a program that needs both. */
  get profiles(): Record<string, string> {
    return {
      AWS_CONFIG_FILE: join(this.directory, "config"),
      AWS_SHARED_CREDENTIALS_FILE: join(this.directory, "no-credentials"),
    };
  }

  /** The remotes `near:` and `far:` of rclone. */
  get rclone(): Record<string, string> {
    const remote = (name: string, { endpoint, accessKeyId, secretAccessKey, region }: Access) => ({
      [`RCLONE_CONFIG_${name}_TYPE`]: "s3",
      [`RCLONE_CONFIG_${name}_PROVIDER`]: "Other",
      [`RCLONE_CONFIG_${name}_ENDPOINT`]: endpoint,
      [`RCLONE_CONFIG_${name}_ACCESS_KEY_ID`]: accessKeyId,
      [`RCLONE_CONFIG_${name}_SECRET_ACCESS_KEY`]: secretAccessKey,
      [`RCLONE_CONFIG_${name}_REGION`]: region,
    });
    return {
      RCLONE_CONFIG: "",
      ...remote("NEAR", this.near.access),
      ...remote("FAR", this.far.access),
    };
  }
}
