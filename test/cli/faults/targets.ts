import assert from "node:assert/strict";
import type { Case } from "./case.ts";

/** Tables and databases that cannot take the rows. */
export const targets: readonly Case[] = [
  {
    name: "a table with a slip in its name",
    load: ["people.csv", "--table", "poeple"],
    code: 2,
    says: /There is no table poeple in the database: did you mean people\?/,
  },
  {
    name: "a table that is nowhere near",
    load: ["people.csv", "--table", "invoices"],
    code: 2,
    says: /There is no table invoices in the database: create it first, or add --create/,
  },
  {
    name: "a view",
    sql: "CREATE VIEW someone AS SELECT * FROM people",
    load: ["people.csv", "--table", "someone"],
    code: 2,
    says: /public\.someone is a view/,
  },
  {
    name: "a table without a key",
    sql: "CREATE TABLE log (id int, name text)",
    load: ["people.csv", "--table", "log"],
    code: 2,
    says: /public\.log has no primary key: name the columns of a unique index with --key, or append/,
  },
  {
    name: "a server that is not there",
    load: ["people.csv", "--table", "people", "--into", "postgres://me:hush@127.0.0.1:1/x"],
    code: 4,
    says: /postgres:\/\/me@127\.0\.0\.1:1\/x cannot be reached, nothing listens there/,
    also: ({ err }) => assert.doesNotMatch(err, /hush/),
  },
  {
    name: "a host that is not there",
    load: ["people.csv", "--table", "people", "--into", "postgres://me:hush@no-such-host.invalid/x"],
    code: 4,
    says: /cannot be reached/,
    also: ({ err }) => assert.doesNotMatch(err, /hush/),
  },
];
