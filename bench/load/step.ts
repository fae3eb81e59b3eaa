type Row = Record<string, string | null>;

/** The cleaning of the ingest ticket: what the pandas script beside it does to a row. */
export default function clean(row: Row): Row {
  return { ...row, email: row.email?.toLowerCase() ?? null, name: row.name?.trim() ?? null };
}
