import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import { processExists, processStatus } from "../../process-mark.ts";
import { machineClock } from "../../store/internal.ts";

interface Identity {
  readonly host: string;
  readonly pid: number;
  /** When the process started, so that a process id that is used again is not mistaken for it. */
  readonly start: string;
  /** The start of the machine that the process lives in. */
  readonly boot: string;
  /** The machine and the view of its processes: a process id means nothing in another container. */
  readonly machine: string;
}

function or<T>(fallback: T, read: () => T): T {
  try {
    return read();
  } catch {
    return fallback;
  }
}

function ownIdentity(): Identity {
  const machine = or("", () => readFileSync("/etc/machine-id", "utf8").trim());
  const processes = or("", () => readlinkSync("/proc/self/ns/pid"));
  return {
    host: hostname(),
    pid: process.pid,
    start: processStatus(process.pid)?.start ?? `t${Math.round(performance.timeOrigin)}`,
    boot: machineClock.boot,
    machine: createHash("sha256").update(`${machine}\n${processes}`).digest("hex").slice(0, 12),
  };
}

const own = ownIdentity();

/** This process as a worker: the same for all its threads, and for no other process ever. */
export const ownWorkerId = [encodeURIComponent(own.host), own.pid, own.start, own.boot, own.machine].join(
  ":",
);

/** The parts of a worker id; undefined for a text of another form. */
export function parseWorkerId(id: string): Identity | undefined {
  if (typeof id !== "string") return undefined;
  const [host, pid, start, boot, machine, ...rest] = id.split(":");
  if (host === undefined || start === undefined || boot === undefined || machine === undefined)
    return undefined;
  if (rest.length > 0 || !/^[1-9]\d*$/.test(pid ?? "")) return undefined;
  return { host: or(host, () => decodeURIComponent(host)), pid: Number(pid), start, boot, machine };
}

/**
 * Whether the process of a worker is gone for certain. Only this machine's processes can be judged; of any other
 * worker the answer is false, and its lease has to run out.
 */
export function isDead(worker: string): boolean {
  const id = parseWorkerId(worker);
  if (id === undefined || id.host !== own.host || id.machine !== own.machine) return false;
  if (id.boot !== own.boot) return true;
  if (!processExists(id.pid)) return true;
  const status = processStatus(id.pid);
  // A process exists, but the kernel does not tell which one: it may be the worker.
  if (status === undefined) return false;
  return status.start !== id.start || status.state === "Z" || status.state === "X";
}
