import type { Lease } from "../../store/contract.ts";

/** What the thread that keeps leases is told when it starts. */
export interface LeaseKeeperSetup {
  /** The address of the store, which the thread opens for itself. */
  readonly address: string;
  readonly leaseMs: number;
}

/**
 * From the worker to the thread. Leases are numbered as they are held. Most are dropped long before they must be
 * renewed, so they are sent as a text that is read only then: JSON of pairs of id and fence, numbered from `first` on. What was
 * dropped before comes with them.
 */
export type LeaseRequest =
  | { readonly kind: "hold"; readonly first: number; readonly leases: string; readonly dropped: Float64Array }
  | { readonly kind: "drop"; readonly dropped: Float64Array }
  | { readonly kind: "stop" };

/** From the thread to the worker. */
export type LeaseReport =
  | { readonly kind: "ready" }
  | { readonly kind: "lost" | "cancelRequested"; readonly leases: readonly Lease[] }
  | { readonly kind: "trouble"; readonly error: unknown };
