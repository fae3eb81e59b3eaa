import { gzipSync } from "node:zlib";

/** A table whose every insert waits, so that a load takes long enough to be interrupted. */
export function slowTable(seconds: number): string {
  return `
    CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL);
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(${seconds}); RETURN NULL; END $$;
    CREATE TRIGGER wait AFTER INSERT ON people FOR EACH STATEMENT EXECUTE FUNCTION wait();`;
}

/** Makes the rest of a load quick. */
export const QUICK = "DROP TRIGGER IF EXISTS wait ON people";

/** A packed file is read by one shard; these make its chunks as small as they can be. */
export const SMALL_CHUNKS = ["--memory", "128MB", "--concurrency", "64"];

/** The same load without those, which are not of its identity. With its memory left to it, it may share a process. */
export function atEase(load: readonly string[]): string[] {
  return load.filter((word) => !SMALL_CHUNKS.includes(word));
}

/** About 64 bytes a row. */
export function manyPeople(rows: number, from = 1): Buffer {
  const lines = ["id,name\n"];
  for (let id = from; id < from + rows; id++) lines.push(`${id},${`Person number ${id} `.padEnd(56, ".")}\n`);
  return gzipSync(lines.join(""), { level: 1 });
}
