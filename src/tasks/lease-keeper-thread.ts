/**
 * The thread that renews the leases of a worker. It lives apart from the handlers, so a loop that never yields does
 * not lose its lease. After the whole process was suspended it may wake up to leases that have run out: a renewal
 * carries the fence, so what was taken over is reported as lost, and what nobody took is simply held again.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Lease, Store } from "../store/contract.ts";
import { openStore } from "../store/index.ts";
import type { LeaseKeeperSetup, LeaseReport, LeaseRequest } from "./lease-messages.ts";

/** A request to cancel is noticed with a renewal, so these do not lie further apart than a person likes to wait. */
const LONGEST_PAUSE_MS = 2_000;

const { address, leaseMs } = workerData as LeaseKeeperSetup;
const pauseMs = Math.min(leaseMs / 3, LONGEST_PAUSE_MS);
const port = parentPort;
if (port === null) throw new Error("The lease keeper runs as a worker thread only.");

/** By task: a newer claim of the same task means that the older one is lost. */
const held = new Map<string, Lease>();
const asked = new WeakSet<Lease>();
let timer: NodeJS.Timeout | undefined;
let stopped = false;

function report(message: LeaseReport): void {
  port?.postMessage(message);
}

async function renewAll(store: Store): Promise<void> {
  const leases = [...held.values()];
  const { lost, cancelRequested } = await store.renew(leases, leaseMs);
  const among = (ids: readonly string[]) => {
    const named = new Set(ids);
    // What was dropped or claimed anew meanwhile is no longer this lease's business.
    return leases.filter((lease) => named.has(lease.id) && held.get(lease.id) === lease);
  };
  const gone = among(lost);
  for (const lease of gone) held.delete(lease.id);
  if (gone.length > 0) report({ kind: "lost", leases: gone });
  const cancelled = among(cancelRequested).filter((lease) => !asked.has(lease));
  for (const lease of cancelled) asked.add(lease);
  if (cancelled.length > 0) report({ kind: "cancelRequested", leases: cancelled });
}

async function keep(store: Store): Promise<void> {
  let next = pauseMs;
  try {
    if (held.size > 0) await renewAll(store);
  } catch (error) {
    report({ kind: "trouble", error });
    next = pauseMs / 4;
  }
  if (!stopped) timer = setTimeout(() => void keep(store), next);
}

const store = await openStore(address);

port.on("message", (request: LeaseRequest) => {
  if (request.kind === "hold") {
    for (const lease of request.leases) {
      const older = held.get(lease.id);
      if (older !== undefined && older.fence !== lease.fence) report({ kind: "lost", leases: [older] });
      held.set(lease.id, lease);
    }
  } else if (request.kind === "drop") {
    for (const { id, fence } of request.leases) if (held.get(id)?.fence === fence) held.delete(id);
  } else {
    stopped = true;
    clearTimeout(timer);
    port.close();
    void store.close();
  }
});
report({ kind: "ready" });
void keep(store);
