/** One figure, and what it should be. */
export interface Verdict {
  readonly what: string;
  readonly measured: string;
  /** Null where nothing is asked for. */
  readonly target: string | null;
  readonly met: boolean | null;
}

/** What a part of the benchmark found out. */
export interface Findings {
  /** For people, as it goes: tables and single lines. */
  readonly text: string;
  readonly verdicts: readonly Verdict[];
}

/** A figure without a target. */
export function beside(what: string, measured: string): Verdict {
  return { what, measured, target: null, met: null };
}

export function atMost(what: string, value: number, most: number, unit: Unit): Verdict {
  return { what, measured: unit(value), target: `≤ ${unit(most)}`, met: value <= most };
}

export function atLeast(what: string, value: number, least: number, unit: Unit): Verdict {
  return { what, measured: unit(value), target: `≥ ${unit(least)}`, met: value >= least };
}

export type Unit = (value: number) => string;
export const times: Unit = (value) => `${value.toFixed(2)} ×`;
export const perSecond: Unit = (value) => `${Math.round(value).toLocaleString("en-US")}/s`;
export const milliseconds: Unit = (value) =>
  `${value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(2)} ms`;
