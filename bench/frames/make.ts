import { openRaw, quoted } from "./duckdb.ts";

/**
 * `node make.ts NAME ROWS PATH` writes one of the inputs. All follows from the number of a row through DuckDB's `hash`, so that the same
 * version writes the same file again.
 */
const [name = "", rows = "", path = ""] = process.argv.slice(2);

/** One row in so many has a text where its amount should stand. */
const BAD_EVERY = 100_000;

/** A whole number below a limit for every row, another one for every salt. */
function drawn(salt: number, below: number): string {
  return `(hash(i, ${salt}) % ${below})::BIGINT`;
}

function payments(amount: string): string {
  return `SELECT i AS id, ${drawn(0, 200000)} AS "user", ${amount} AS amount,
    countries[1 + ${drawn(1, 8)}] AS country, countries[1 + ${drawn(2, 8)}] AS card_country,
    'merchant-' || lpad(${drawn(3, 5000)}::VARCHAR, 5, '0') AS merchant,
    TIMESTAMP '2025-01-01' + to_seconds(i % 31536000) AS ts
    FROM (SELECT i::BIGINT AS i, ['DE','AT','FR','NL','PL','ES','SE','IT'] AS countries FROM range(${rows}) t(i))`;
}

const amount = `(${drawn(4, 50000)} / 100)::DECIMAL(9, 2)`;
const dirty = `CASE WHEN i % ${BAD_EVERY} = ${BAD_EVERY / 2} THEN 'n/a' ELSE ${amount}::VARCHAR END`;
const exact = `${amount}::DOUBLE`;
const event = `CASE WHEN i % 988 = 987 THEN '{"level":"ERROR","message":"cut off' ELSE
  '{"ts":"' || (TIMESTAMP '2025-01-01' + to_milliseconds(i * 37))::VARCHAR ||
  '","level":"' || ['INFO','ERROR','WARN','DEBUG'][1 + ${drawn(0, 4)}] ||
  '","service":"service-' || ${drawn(1, 40)} || '","message":"' ||
  ['timeout while calling ','could not parse the answer of ','connection reset by '][1 + ${drawn(2, 3)}] ||
  'upstream-' || ${drawn(3, 500)} || ' \\"again\\"","request":"' || left(md5(i::VARCHAR), 8) ||
  '","ms":' || ${drawn(4, 3000)} || '}' END`;

const contents = new Map([
  ["csv", `COPY (${payments(amount)}) TO ${quoted(path)} (FORMAT csv, HEADER)`],
  ["dirty", `COPY (${payments(dirty)}) TO ${quoted(path)} (FORMAT csv, HEADER)`],
  ["parquet", `COPY (${payments(exact)}) TO ${quoted(path)} (FORMAT parquet, COMPRESSION snappy)`],
  // Lines as they are: no separator, quote or escape of CSV is in them.
  [
    "log",
    `COPY (SELECT ${event} AS line FROM range(${rows}) t(i)) TO ${quoted(path)}
     (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01')`,
  ],
]);
const content = contents.get(name);
if (content === undefined) throw new Error(`there is no input ${name}`);
using raw = await openRaw({ memory_limit: "2GB" });
await raw.run(content);
