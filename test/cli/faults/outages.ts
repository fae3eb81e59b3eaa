import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { TestServer } from "../../connect/postgres/server.ts";
import { manyPeople, QUICK, SMALL_CHUNKS, slowTable } from "../load/slow-load.ts";
import { Scene, until } from "../scene.ts";
import { assertKind, theSentence } from "./case.ts";
import type { Story } from "./stories.ts";

/** Stands between the loader and its server, and can be cut. */
class Wire {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  port = 0;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#target = { host: hostname, port: Number(port) };
  }

  async mend(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#target);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
      }
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => server.listen(this.port, "127.0.0.1", resolve));
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
  }

  cut(): void {
    this.#server?.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A small file system in memory, for which one must be root. */
class SmallDisk implements Disposable {
  readonly path: string;

  constructor(path: string, size: string, owner = 0) {
    this.path = path;
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700,uid=${owner}`, "tmpfs", path]);
  }

  grow(size: string): void {
    execFileSync("mount", ["-o", `remount,size=${size}`, this.path]);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["-l", this.path]);
  }
}

export const mayMount = process.platform === "linux" && process.getuid?.() === 0 && canMount();

function canMount(): boolean {
  try {
    execFileSync("unshare", ["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const load = ["people.csv.gz", "--table", "people", ...SMALL_CHUNKS];

async function stateOf(scene: Scene): Promise<{ note?: string; written?: number }> {
  return (await scene.status()) ?? {};
}

export const outages: Readonly<Record<string, Story>> = {
  "a server that goes away half-way is waited for": async (server) => {
    await using scene = await Scene.begin(server, slowTable(0.2));
    const wire = new Wire(scene.url);
    await wire.mend();
    await scene.write("people.csv.gz", manyPeople(20_000));
    const url = new URL(scene.url);
    url.port = String(wire.port);
    const loader = scene.start(["load", ...load, "--into", url.href]);
    await until("rows arrive", () => scene.count("people"));
    wire.cut();
    const { note } = await until("the trouble is noted", async () => {
      const status = await stateOf(scene);
      return /^trying again/.test(status.note ?? "") ? status : null;
    });
    assert.match(note ?? "", /trying again: (The connection to .* was lost|.* cannot be reached)/);
    await scene.query(QUICK);
    await wire.mend();
    const { code, err, out } = await loader.ended;
    wire.cut();
    assert.equal(code, 0, err);
    assertKind(err, out);
    assert.equal(await scene.count("people"), 20_000);
    assert.equal((await stateOf(scene)).written, 20_000);
  },
};

/** Only for root. */
export const fullDisks: Readonly<Record<string, Story>> = {
  "a store on a full disk is one sentence": async (server) => {
    await using scene = await Scene.begin(server, slowTable(0));
    await scene.write("people.csv.gz", manyPeople(10));
    await mkdir(scene.path("small"));
    using disk = new SmallDisk(scene.path("small"), "64k");
    const outcome = await scene.load(load, { env: { PAWL_STORE: join(disk.path, "store.db") } });
    assertKind(outcome.err, outcome.out);
    assert.match(theSentence(outcome.err), /The disk that holds the store .* is full: free some space/);
    assert.equal(outcome.code, 4);
  },

  "a table on a full disk is waited for until there is space": async () => {
    await using server = await TestServer.start();
    await using scene = await Scene.begin(server);
    const folder = join(dirname(server.home), "small");
    await mkdir(folder);
    using disk = new SmallDisk(folder, "1m", statSync(join(server.home, "data")).uid);
    await scene.query(`CREATE TABLESPACE small LOCATION '${disk.path}'`);
    try {
      await scene.query("CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL) TABLESPACE small");
      await scene.write("people.csv.gz", manyPeople(30_000));
      const loader = scene.startLoad(load);
      const { note } = await until("the trouble is noted", async () => {
        const status = await stateOf(scene);
        return status.note ? status : null;
      });
      assert.match(
        note ?? "",
        /trying again: .*No space left on device.*: free some space, and the work continues by itself/,
      );
      disk.grow("64m");
      const { code, err, out } = await loader.ended;
      assert.equal(code, 0, err);
      assertKind(err, out);
      assert.equal(await scene.count("people"), 30_000);
    } finally {
      await scene.query("DROP TABLE IF EXISTS people");
      await scene.query("DROP TABLESPACE small");
    }
  },
};
