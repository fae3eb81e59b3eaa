/** What a function of a pool may take after its arguments, if it has a parameter left for it. */
export interface ItemContext<Init = unknown> {
  /** Which item of its call this is, from 0. */
  readonly index: number;
  /** Aborts when the call is cancelled or the item's time is over. */
  readonly signal: AbortSignal;
  /** What `init` returned in this worker. */
  readonly init: Init;
}
