/** Type names that may stand on more than one floor, each with the reason. */
export const sharedNames: ReadonlyMap<string, string> = new Map<string, string>();
