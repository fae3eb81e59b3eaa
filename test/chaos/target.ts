import type pg from "pg";
import { joinedSql, quoted, type Shape, type Value } from "./columns.ts";
import type { Plan } from "./plan.ts";
import { PASSWORD, type Server } from "./server.ts";

export const TABLE = "target";
/** The role that loads: it owns the table, and no more. */
export const ROLE = "loader";

/** A row of the audit table: one committed effect on one row. */
export interface Effect {
  readonly op: string;
  readonly key: string;
  /** MD5 of the row after the effect, of the columns of the shape. */
  readonly hash: string;
  readonly loader: string | null;
}

/** A database with the table to load into, its initial rows, and the trigger that writes down each effect. */
export async function createTarget(
  server: Server,
  database: string,
  plan: Plan,
  initial: ReadonlyMap<string, readonly Value[]>,
): Promise<void> {
  await server.with("postgres", async (client) => {
    await client.query(
      `do $$ begin create role ${ROLE} login password '${PASSWORD}'; exception when duplicate_object then end $$`,
    );
    await client.query(`create database ${database} template template0`);
    await client.query(
      `grant ${plan.withoutSchema ? "temporary" : "create, temporary"} on database ${database} to ${ROLE}`,
    );
    if (plan.withoutSchema) await client.query(`revoke create on database ${database} from public`);
  });
  await server.with(database, async (client) => {
    await client.query(tableSql(plan.shape));
    await insertInitial(client, plan.shape, initial);
    await client.query(auditSql(plan));
    await client.query(
      `alter table ${TABLE} owner to ${ROLE}; grant insert on audit to ${ROLE}; analyze ${TABLE}`,
    );
  });
}

function tableSql({ kind, columns, keys }: Shape): string {
  const definitions = columns.map(({ name, type }) => `${quoted(name)} ${type}`);
  const keyNames = columns.slice(0, keys).map(({ name }) => quoted(name));
  const primary = kind === "none" ? "row_number bigint generated always as identity primary key" : null;
  return `create table ${TABLE} (
    ${[...definitions, "stamp text not null default 'new'", primary ?? `primary key (${keyNames.join(", ")})`].join(", ")}
  )`;
}

async function insertInitial(
  client: pg.Client,
  { columns }: Shape,
  initial: ReadonlyMap<string, readonly Value[]>,
): Promise<void> {
  const names = columns.map(({ name }) => quoted(name));
  const casts = columns.map(({ name, type }) => `${quoted(name)} ${type.replace(/ (not null|check).*/, "")}`);
  const objects = [...initial.values()].map((values) =>
    Object.fromEntries(columns.map(({ name }, index) => [name, values[index] ?? null])),
  );
  const jsonb = columns.map(({ name, type }) =>
    type === "jsonb" ? `(r.${quoted(name)} #>> '{}')::jsonb` : `r.${quoted(name)}`,
  );
  await client.query(
    `insert into ${TABLE} (${names.join(", ")}, stamp)
     select ${jsonb.join(", ")}, 'old' from json_to_recordset($1) as r(${casts.join(", ")})`,
    [JSON.stringify(objects)],
  );
}

/** The trigger sleeps now and then, so that a load lasts long enough to be disturbed. */
function auditSql({ shape, dragMicroseconds }: Plan): string {
  const expressions = shape.columns.map(({ name }) => `r.${quoted(name)}`);
  return `
    create table audit (
      id bigint generated always as identity primary key,
      op text not null, key text not null, hash text not null, loader text, transaction xid8 default pg_current_xact_id()
    );
    create function note_effect() returns trigger language plpgsql security definer as $$
    declare r ${TABLE} := coalesce(new, old);
    begin
      insert into public.audit (op, key, hash, loader) values (
        tg_op,
        ${joinedSql(expressions.slice(0, shape.keys))},
        md5(${joinedSql(expressions)}),
        current_setting('chaos.loader', true));
      if random() < ${dragMicroseconds / 2000} then perform pg_sleep(0.002); end if;
      return null;
    end $$;
    create trigger note_effect after insert or update or delete on ${TABLE}
      for each row execute function note_effect();`;
}

/** Effects so far, those of transactions that are still open or were rolled back included: it counts as it goes. */
export async function effectsBegun(client: pg.Client): Promise<number> {
  const { rows } = await client.query("select last_value, is_called from audit_id_seq");
  return rows[0].is_called ? Number(rows[0].last_value) : 0;
}

export async function readEffects(client: pg.Client): Promise<Effect[]> {
  return (await client.query("select op, key, hash, loader from audit order by id")).rows;
}

/** The rows of the table as texts in the order of the shape's columns, then the stamp. */
export async function readTable(client: pg.Client, { columns }: Shape): Promise<Value[][]> {
  const texts = [...columns.map(({ name }) => quoted(name)), "stamp"].map((name) => `${name}::text`);
  return (await client.query({ text: `select ${texts.join(", ")} from ${TABLE}`, rowMode: "array" })).rows;
}
