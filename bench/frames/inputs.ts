import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { tpchData } from "../../test/data/tpch/data.ts";

/** Card payments as CSV, the same as Parquet, CSV with a few bad amounts, log lines, and the tables of TPC-H. */
export type InputName = "csv" | "parquet" | "dirty" | "log" | "tpch";

export interface Input {
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
}

/** Raised when what the files hold changes, so that none made before is taken. */
const VERSION = 1;
const extensions = { csv: "csv", parquet: "parquet", dirty: "csv", log: "jsonl" } as const;

/** The files that cases read. Each is made when it is first asked for, and kept for later runs. */
export class Inputs {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  async get(name: InputName, rows: number): Promise<Input> {
    if (name === "tpch") return { path: (await tpchData()).directory, bytes: 326e6, rows: 8_661_245 };
    const path = join(this.#directory, `${name}-${rows}-v${VERSION}.${extensions[name]}`);
    if (!existsSync(path)) make(name, rows, path);
    return { path, bytes: statSync(path).size, rows };
  }
}

/** In a process of its own, so that its memory is not the benchmark's. */
function make(name: string, rows: number, path: string): void {
  console.error(`making ${path}`);
  const part = `${path}.part`;
  const program = join(import.meta.dirname, "make.ts");
  const { status } = spawnSync(process.execPath, [program, name, String(rows), part], { stdio: "inherit" });
  if (status !== 0) {
    rmSync(part, { force: true });
    throw new Error(`${path} could not be made`);
  }
  renameSync(part, path);
}
