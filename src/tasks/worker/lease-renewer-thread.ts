/**
 * The thread that renews the leases of a worker. It lives apart from the handlers, so a loop that never yields does
 * not lose its lease. After the whole process was suspended it may wake up to leases that have run out: a renewal
 * carries the fence, so a task that was taken over is reported as lost, and any other lease is simply renewed.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { Lease, Store } from "../../store/contract.ts";
import { openStore } from "../../store/index.ts";
import type { LeaseRenewerSetup, LeaseReport, LeaseRequest } from "./lease-renewer.ts";

/**
 * A request to cancel is noticed with a renewal, so leases are renewed at least as often as a person who cancels is willing
 * to wait.
 */
const LONGEST_PAUSE_MS = 2_000;

const { address, leaseMs } = workerData as LeaseRenewerSetup;
/**
 * A round comes twice as often as a lease must be renewed: leases younger than a round are left out, and most tasks
 * end before.
 */
const roundMs = Math.min(leaseMs / 3, LONGEST_PAUSE_MS) / 2;
const port = parentPort;
if (port === null) throw new Error("The lease renewer runs as a worker thread only.");

/** A lease, and the round in which it was renewed last, or that was the last one before it came. */
interface Held extends Lease {
  renewed: number;
}

const held = new Map<number, Held>();
/** By task: a newer claim of the same task means that the older one is lost. */
const numbers = new Map<string, number>();
/** Messages whose leases are not parsed yet, and the numbers of leases that were dropped already. */
let unread: { readonly first: number; readonly leases: string }[] = [];
const dropped = new Set<number>();
const asked = new WeakSet<Lease>();
let round = 0;
let timer: NodeJS.Timeout | undefined;
let stopped = false;

function report(message: LeaseReport): void {
  port?.postMessage(message);
}

function drop(number: number): void {
  const lease = held.get(number);
  if (lease === undefined) dropped.add(number);
  else {
    held.delete(number);
    if (numbers.get(lease.id) === number) numbers.delete(lease.id);
  }
}

/** Parses the messages that are not parsed yet. */
function readAll(): void {
  for (const { first, leases } of unread) {
    for (const [at, [id, fence]] of (JSON.parse(leases) as [string, number][]).entries()) {
      if (dropped.has(first + at)) continue;
      const older = numbers.get(id);
      const lost = older === undefined ? undefined : held.get(older);
      if (older !== undefined) drop(older);
      if (lost !== undefined && lost.fence !== fence) report({ kind: "lost", leases: [lost] });
      held.set(first + at, { id, fence, renewed: round - 1 });
      numbers.set(id, first + at);
    }
  }
  unread = [];
  dropped.clear();
}

async function renewAll(store: Store): Promise<void> {
  const entries = [...held].filter(([, { renewed }]) => round - renewed >= 2);
  if (entries.length === 0) return;
  const { lost, cancelRequested } = await store.renew(
    entries.map(([, lease]) => lease),
    leaseMs,
  );
  const among = (ids: readonly string[]) => {
    const named = new Set(ids);
    // A task that was dropped or claimed again meanwhile no longer has this lease.
    return entries.filter(([number, lease]) => named.has(lease.id) && held.get(number) === lease);
  };
  for (const [, lease] of entries) lease.renewed = round;
  const gone = among(lost);
  for (const [number] of gone) drop(number);
  if (gone.length > 0) report({ kind: "lost", leases: gone.map(([, lease]) => lease) });
  const cancelled = among(cancelRequested)
    .map(([, lease]) => lease)
    .filter((lease) => !asked.has(lease));
  for (const lease of cancelled) asked.add(lease);
  if (cancelled.length > 0) report({ kind: "cancelRequested", leases: cancelled });
}

async function keep(store: Store): Promise<void> {
  let next = roundMs;
  round++;
  try {
    readAll();
    if (held.size > 0) await renewAll(store);
  } catch (error) {
    report({ kind: "trouble", error });
    next = roundMs / 4;
  }
  if (!stopped) timer = setTimeout(() => void keep(store), next);
}

// A store file that was removed meanwhile must not be created again, empty.
const store = await openStore(address, { create: false });

port.on("message", (request: LeaseRequest) => {
  if (request.kind !== "stop") {
    for (const number of request.dropped) drop(number);
    if (request.kind === "hold") unread.push(request);
  } else {
    stopped = true;
    clearTimeout(timer);
    port.close();
    void store.close();
  }
});
report({ kind: "ready" });
void keep(store);
