/** What JSON can express, read-only. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Milliseconds since the Unix epoch by the store's clock. */
export type Instant = number;
