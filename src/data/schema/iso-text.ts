/** Days and moments as they are kept, numbers of days and microseconds since 1970, as ISO texts. */

const DAY_MICROS = 86_400_000_000n;
/** What engines keep for moments that are not finite. */
const INFINITE = 9_223_372_036_854_775_807n;

/** The text of a day: `2026-01-31`. */
export function dateText(days: number): string {
  if (days === 2_147_483_647) return "infinity";
  if (days === -2_147_483_647) return "-infinity";
  // Howard Hinnant's days-to-civil algorithm: eras of 400 years that begin in March.
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const march = Math.floor((5 * ofYear + 2) / 153);
  const day = ofYear - Math.floor((153 * march + 2) / 5) + 1;
  const month = march < 10 ? march + 3 : march - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${yearText(year)}-${two(month)}-${two(day)}`;
}

/** The text of a time of day: `10:30:00`, with as many digits of a second as there are. */
export function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const rest = Number(micros % 1_000_000n);
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return rest === 0 ? text : `${text}.${String(rest).padStart(6, "0").replace(/0+$/, "")}`;
}

/** The text of a day and a time: `2026-01-31T10:30:00.123456`; of a moment with `zone`, which is `Z`. */
export function timestampText(micros: bigint, zone: "" | "Z"): string {
  if (micros === INFINITE) return "infinity";
  if (micros === -INFINITE) return "-infinity";
  const ofDay = ((micros % DAY_MICROS) + DAY_MICROS) % DAY_MICROS;
  return `${dateText(Number((micros - ofDay) / DAY_MICROS))}T${timeText(ofDay)}${zone}`;
}

function yearText(year: number): string {
  if (year >= 0) return String(year).padStart(4, "0");
  return `-${String(-year).padStart(6, "0")}`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}
