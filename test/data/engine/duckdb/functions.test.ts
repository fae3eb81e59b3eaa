import { duckdb } from "../../../../src/data/engine/duckdb/duckdb.ts";
import { functionConformance } from "../functions.ts";

functionConformance(duckdb);
