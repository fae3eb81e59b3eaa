import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveDatabase } from "../../../src/cli/options/database.ts";

const location = { store: "/x/store.db", runs: "/x/runs", postgres: "/x/postgres" };

test("an address with a password where the name of a variable belongs is not shown", async () => {
  for (const given of ["env:postgres://u:s3cretpw@h/d", "env:u:s3cretpw@h/d", "env:"])
    await assert.rejects(resolveDatabase(given, location, "--into"), {
      code: "usage.database",
      message: "--into takes a URL such as postgres://user@host:5432/database, or env:NAME.",
    });
  await assert.rejects(resolveDatabase("env:PAWL_TEST_NONE", location, "--into"), {
    message: "--into env:PAWL_TEST_NONE names an environment variable that is not set.",
  });
});
