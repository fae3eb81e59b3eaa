/** What the referees need from outside npm, as `PAWL_REQUIRE` names it. */
export type Program = "go" | "pgbouncer" | "azurite" | "systemd" | "tpch";

/**
 * For `skip` of a test that needs a program which not every machine has: false when it is there (`why` is null), else the
 * sentence that says why not. `PAWL_REQUIRE=go,pgbouncer,azurite,systemd,tpch` turns that into a failure.
 */
export function skipWithout(program: Program, why: string | null): string | false {
  if (why === null) return false;
  const required = (process.env.PAWL_REQUIRE ?? "").split(",").map((name) => name.trim());
  if (required.includes(program)) throw new Error(`PAWL_REQUIRE names ${program}, and ${why}`);
  return why;
}
