import { duckdb } from "../../../../src/data/engine/duckdb/duckdb.ts";
import { aggregateConformance } from "../aggregates.ts";
import { castConformance } from "../casts.ts";
import { functionConformance } from "../functions.ts";

functionConformance(duckdb);
aggregateConformance(duckdb);
castConformance(duckdb);
