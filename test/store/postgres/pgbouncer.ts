import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The program, if this machine has it: named by `PAWL_PGBOUNCER`, or on the path. */
export function findPgbouncer(): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];
  const candidates = [process.env.PAWL_PGBOUNCER, ...folders.map((folder) => join(folder, "pgbouncer"))];
  return candidates.find((path) => {
    try {
      accessSync(path ?? "", constants.X_OK);
      return path;
    } catch {
      return false;
    }
  });
}

/** A PgBouncer in transaction mode before a server. */
export class Pgbouncer implements AsyncDisposable {
  readonly #port: number;
  readonly #process: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, process: ChildProcess, folder: string) {
    this.#port = port;
    this.#process = process;
    this.#folder = folder;
  }

  static async start(program: string, server: string): Promise<Pgbouncer> {
    const { hostname, port, username, password } = new URL(server);
    const own = await freePort();
    const folder = await mkdtemp(join(tmpdir(), "pawl-pgbouncer-"));
    await chmod(folder, 0o755);
    const settings = join(folder, "pgbouncer.ini");
    await writeFile(
      settings,
      `[databases]
       * = host=${hostname} port=${port} user=${username} password=${decodeURIComponent(password)}
       [pgbouncer]
       listen_addr = 127.0.0.1
       listen_port = ${own}
       unix_socket_dir =
       auth_type = any
       pool_mode = transaction
       default_pool_size = 4
       max_client_conn = 200
      `.replaceAll(/^ +/gm, ""),
      { mode: 0o644 },
    );
    // It does not run as root.
    const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const child = spawn(program, ["-q", settings], { ...account, stdio: "ignore" });
    const bouncer = new Pgbouncer(own, child, folder);
    while (!(await answers(own))) {
      if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}.`);
      await sleep(20);
    }
    return bouncer;
  }

  /** The way to this database of the server that leads through here. */
  before(url: string): string {
    return `postgres://somebody@127.0.0.1:${this.#port}${new URL(url).pathname}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
    await rm(this.#folder, { recursive: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
