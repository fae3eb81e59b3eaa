/**
 * Whether what lies in a schema of ours is ours. Any role that may create schemas can make one of this name first, with
 * triggers and functions that would run with the rights of the role that writes there.
 */

/** Asks the server one statement with texts as parameters, and gives its rows. */
type Ask = (sql: string, values: readonly string[]) => Promise<readonly unknown[]>;

export interface OwnObjects {
  readonly schema: string;
  /** What is used of it. Other roles may keep tables of their own beside ours. */
  readonly tables: readonly string[];
  readonly functions?: readonly string[];
  /** The triggers that Pawl makes itself, such as `task.task_due`. */
  readonly triggers?: readonly string[];
}

interface Foreign {
  readonly rank: number;
  readonly what: string;
  /** The role it belongs to, where that is what is wrong. */
  readonly owner: string | null;
  readonly me: string;
}

// Operators are written with their schema, for what `=` means depends on the search path, which others may have set.
const eq = "OPERATOR(pg_catalog.=)";
const ne = "OPERATOR(pg_catalog.<>)";

/**
 * Trusted are the current role, the roles it was made a member of, and superusers, who need no trap. That a superuser
 * may act as every role does not count: that is what a trap would be laid for.
 */
const foreignSql = `
  WITH RECURSIVE acting(role) AS (
    SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname ${eq} CURRENT_USER
    UNION
    SELECT m.roleid FROM acting a JOIN pg_catalog.pg_auth_members m ON m.member ${eq} a.role
  ),
  superior(role) AS (
    SELECT a.role FROM acting a UNION SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolsuper
  ),
  trusted(role) AS (
    SELECT s.role FROM superior s
    UNION
    SELECT o.oid FROM pg_catalog.pg_roles o, pg_catalog.pg_database d, superior s
    WHERE o.rolname ${eq} 'pg_database_owner' AND d.datname ${eq} pg_catalog.current_database() AND s.role ${eq} d.datdba
  ),
  space AS (SELECT n.oid, n.nspname, n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname ${eq} $1::pg_catalog.name),
  relation AS (
    SELECT c.oid, c.relname, c.relowner, c.relkind FROM pg_catalog.pg_class c JOIN space s ON c.relnamespace ${eq} s.oid
    WHERE c.relname::pg_catalog.text ${eq} ANY (pg_catalog.string_to_array($2::pg_catalog.text, ','))
  ),
  owned(rank, what, owner) AS (
    SELECT 1, 'The schema ' OPERATOR(pg_catalog.||) s.nspname::pg_catalog.text, s.nspowner FROM space s
    UNION ALL
    SELECT 2, CASE r.relkind WHEN 'r' THEN 'The table ' WHEN 'p' THEN 'The table ' WHEN 'v' THEN 'The view '
                             WHEN 'S' THEN 'The sequence ' ELSE 'The relation ' END
              OPERATOR(pg_catalog.||) $1::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) r.relname::pg_catalog.text, r.relowner
    FROM relation r
    UNION ALL
    SELECT 3, 'The function ' OPERATOR(pg_catalog.||) $1::pg_catalog.text OPERATOR(pg_catalog.||) '.' OPERATOR(pg_catalog.||) p.proname::pg_catalog.text, p.proowner
    FROM pg_catalog.pg_proc p JOIN space s ON p.pronamespace ${eq} s.oid
    WHERE p.proname::pg_catalog.text ${eq} ANY (pg_catalog.string_to_array($4::pg_catalog.text, ','))
  ),
  part(class, oid, what) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, r.oid, 'a type' FROM relation r
    UNION ALL
    SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid, d.oid, 'a default'
    FROM pg_catalog.pg_attrdef d JOIN relation r ON d.adrelid ${eq} r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid, c.oid, 'a constraint'
    FROM pg_catalog.pg_constraint c JOIN relation r ON c.conrelid ${eq} r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, i.indexrelid, 'an index'
    FROM pg_catalog.pg_index i JOIN relation r ON i.indrelid ${eq} r.oid
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid, t.oid, 'a trigger'
    FROM pg_catalog.pg_trigger t JOIN relation r ON t.tgrelid ${eq} r.oid
  ),
  code(class, oid, name, space, owner) AS (
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid, p.oid, p.proname, p.pronamespace, p.proowner FROM pg_catalog.pg_proc p
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid, t.oid, t.typname, t.typnamespace, t.typowner FROM pg_catalog.pg_type t
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass::pg_catalog.oid, o.oid, o.oprname, o.oprnamespace, o.oprowner FROM pg_catalog.pg_operator o
    UNION ALL
    SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass::pg_catalog.oid, o.oid, o.opcname, o.opcnamespace, o.opcowner FROM pg_catalog.pg_opclass o
  ),
  carried(rank, what) AS (
    SELECT 4, pg_catalog.format('the trigger %s on %s.%s', t.tgname, $1::pg_catalog.text, r.relname)
    FROM pg_catalog.pg_trigger t JOIN relation r ON t.tgrelid ${eq} r.oid
    WHERE NOT t.tgisinternal
      AND NOT ((r.relname::pg_catalog.text OPERATOR(pg_catalog.||) '.') OPERATOR(pg_catalog.||) t.tgname::pg_catalog.text
               ${eq} ANY (pg_catalog.string_to_array($3::pg_catalog.text, ',')))
    UNION ALL
    SELECT 4, pg_catalog.format('the rule %s on %s.%s', w.rulename, $1::pg_catalog.text, r.relname)
    FROM pg_catalog.pg_rewrite w JOIN relation r ON w.ev_class ${eq} r.oid
    UNION ALL
    SELECT 4, pg_catalog.format('the policy %s on %s.%s', p.polname, $1::pg_catalog.text, r.relname)
    FROM pg_catalog.pg_policy p JOIN relation r ON p.polrelid ${eq} r.oid
    UNION ALL
    SELECT 4, pg_catalog.format('the table %s, which inherits from %s.%s', h.inhrelid::pg_catalog.regclass, $1::pg_catalog.text, r.relname)
    FROM pg_catalog.pg_inherits h JOIN relation r ON h.inhparent ${eq} r.oid
    UNION ALL
    SELECT 5, pg_catalog.format('%s that uses %s, in the schema %s', p.what, c.name, $1::pg_catalog.text)
    FROM part p
    JOIN pg_catalog.pg_depend d ON d.classid ${eq} p.class AND d.objid ${eq} p.oid
    JOIN code c ON c.class ${eq} d.refclassid AND c.oid ${eq} d.refobjid
    JOIN pg_catalog.pg_namespace n ON n.oid ${eq} c.space
    WHERE n.nspname ${ne} 'pg_catalog'
      AND NOT (n.nspname ${eq} $1::pg_catalog.name AND EXISTS (SELECT FROM trusted t WHERE t.role ${eq} c.owner))
  )
  SELECT o.rank, o.what, pg_catalog.pg_get_userbyid(o.owner)::pg_catalog.text AS owner, CURRENT_USER::pg_catalog.text AS me
  FROM owned o WHERE NOT EXISTS (SELECT FROM trusted t WHERE t.role ${eq} o.owner)
  UNION ALL
  SELECT c.rank, c.what, NULL, CURRENT_USER::pg_catalog.text FROM carried c
  ORDER BY 1, 2 LIMIT 1`;

/**
 * Looks at a schema of ours before anything is read from it or written to it. Returns one sentence where it, a table or a
 * function in it belongs to a role that the current one was not made a member of, or where a table carries a trigger, a
 * rule, a policy or code in its definition that Pawl did not make; null where all is well, or nothing is there yet.
 *
 * @example
 * const found = await foreignObject((sql, values) => session.all(sql, values), { schema: "pawl", tables: ["task"] }, location);
 * if (found !== null) throw new PawlError("store.not-ours", found);
 */
export async function foreignObject(
  ask: Ask,
  { schema, tables, functions = [], triggers = [] }: OwnObjects,
  where: string,
): Promise<string | null> {
  const rows = await ask(foreignSql, [
    schema,
    ...[tables, triggers, functions].map((names) => names.join(",")),
  ]);
  const [found] = rows as readonly Foreign[];
  if (found === undefined) return null;
  const { what, owner, me } = found;
  if (owner === null) {
    return `Pawl did not make ${what} at ${where}, which would run with the rights of ${me}: look who made it and drop it.`;
  }
  return (
    `${what} at ${where} belongs to the role ${owner}, whose code there would run with the rights of ${me}: ` +
    `if ${owner} is to be trusted, GRANT ${quoted(owner)} TO ${quoted(me)}; otherwise look who made it and drop it.`
  );
}

/** A role as a statement names it. */
function quoted(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`;
}
