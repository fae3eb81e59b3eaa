import { PASSWORD, type Server } from "../server.ts";
import { ROLE, TABLE } from "../target.ts";
import type { BackfillPlan } from "./plan.ts";

/** The condition for the rows that are meant, and for those among them that the table refuses to change. */
export const meant = (plan: BackfillPlan): string => (plan.filtered ? "n % 3 <> 1" : "true");
const refused = (plan: BackfillPlan): string => (plan.refused === 0 ? "false" : `n % ${plan.refused} = 0`);

/**
 * A database with the table to change, and the trigger that writes each change of `v` down. `v` begins at 0 and may be
 * raised by one, by the backfill; `other` is for others to change.
 */
export async function createTable(server: Server, database: string, plan: BackfillPlan): Promise<void> {
  await server.with("postgres", async (client) => {
    await client.query(
      `do $$ begin create role ${ROLE} login password '${PASSWORD}'; exception when duplicate_object then end $$`,
    );
    await client.query(`create database ${database} template template0`);
    await client.query(`grant create, temporary on database ${database} to ${ROLE}`);
  });
  const { columns, values, primary } = plan.key;
  await server.with(database, (client) =>
    client.query(`
      create table ${TABLE} (n int, ${columns}, v int not null default 0, other int not null default 0, seen int,
        primary key (${primary}), constraint refused check (v = 0 or not (${refused(plan)})));
      insert into ${TABLE} select n, ${values} from generate_series(1, ${plan.rows}) n;
      create table audit (id bigint generated always as identity primary key, n int, before int, after int, loader text);
      create function note_change() returns trigger language plpgsql security definer as $$
      begin
        insert into public.audit (n, before, after, loader) values (new.n, old.v, new.v, current_setting('chaos.loader', true));
        if random() < ${plan.dragMicroseconds / 2000} then perform pg_sleep(0.002); end if;
        return null;
      end $$;
      create trigger note_change after update of v on ${TABLE} for each row execute function note_change();
      alter table ${TABLE} owner to ${ROLE};
      grant insert on audit to ${ROLE};
      analyze ${TABLE}`),
  );
}

/** What became of the table. */
export interface Found {
  /** Rows that are meant and were not changed exactly once from 0 to 1, or were not meant or refused and were changed. */
  readonly wrong: readonly unknown[];
  /** Changes that others made and that are gone, or that the transform did not get to see in the row it changed. */
  readonly lost: number;
  readonly changes: number;
  readonly meant: number;
  readonly refused: number;
}

export async function findings(
  server: Server,
  database: string,
  plan: BackfillPlan,
  meddled: number,
): Promise<Found> {
  return await server.with(database, async (client) => {
    const good = `(${meant(plan)}) and not (${refused(plan)})`;
    const wrong = await client.query(
      `select t.n, t.v, a.changes, (${good}) as good from ${TABLE} t
       left join (select n, array_agg(before || '>' || after || ' ' || loader order by id) as changes from audit group by n) a using (n)
       where case when ${good} then t.v <> 1 or coalesce(cardinality(a.changes), 0) <> 1 else t.v <> 0 or a.changes is not null end
       limit 5`,
    );
    const counts = await client.query(
      `select count(*) filter (where ${meant(plan)})::int as meant,
              count(*) filter (where (${meant(plan)}) and (${refused(plan)}))::int as refused,
              (select count(*)::int from audit) as changes,
              ($1 - sum(other))::int as lost
       from ${TABLE}`,
      [meddled],
    );
    return { wrong: wrong.rows, ...counts.rows[0] };
  });
}
