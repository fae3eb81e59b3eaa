import type { Lease } from "../store/contract.ts";

/** What the thread that keeps leases is told when it starts. */
export interface LeaseKeeperSetup {
  /** The address of the store, which the thread opens for itself. */
  readonly address: string;
  readonly leaseMs: number;
}

/** From the worker to the thread. */
export type LeaseRequest =
  | { readonly kind: "hold" | "drop"; readonly leases: readonly Lease[] }
  | { readonly kind: "stop" };

/** From the thread to the worker. */
export type LeaseReport =
  | { readonly kind: "ready" }
  | { readonly kind: "lost" | "cancelRequested"; readonly leases: readonly Lease[] }
  | { readonly kind: "trouble"; readonly error: unknown };
