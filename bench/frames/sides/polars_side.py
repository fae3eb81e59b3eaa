"""Polars' streaming engine, as its documentation shows it."""

import json
import resource
import sys

import polars as pl

if sys.argv[1] == "version":
    print(f"Polars {pl.__version__}")
    sys.exit()

job = json.loads(sys.argv[1])
case = job["case"]
columns = {
    "id": pl.Int64,
    "user": pl.Int64,
    "amount": pl.Float64,
    "country": pl.String,
    "card_country": pl.String,
    "merchant": pl.String,
    "ts": pl.Datetime,
}
aggregates = [
    pl.col("amount").sum().alias("total"),
    pl.len().alias("n"),
    pl.col("amount").mean().alias("mean"),
]

if case in ("csv", "dropping"):
    frame = pl.scan_csv(job["input"], schema=columns, ignore_errors=case == "dropping")
else:
    frame = pl.scan_parquet(job["input"])
if case == "keys":
    result = (
        frame.group_by("id")
        .agg(pl.col("amount").sum().alias("total"), pl.len().alias("n"))
        .select(
            pl.len().alias("user"),
            pl.col("total").sum(),
            pl.col("n").sum(),
            pl.col("total").mean().alias("mean"),
        )
    )
else:
    result = frame.filter(pl.col("amount") > 100).group_by("user").agg(aggregates)
result.sink_parquet(job["output"], compression="snappy", engine="streaming")
print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
