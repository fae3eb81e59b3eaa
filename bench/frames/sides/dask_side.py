"""Dask's DataFrame on threads or on a LocalCluster of two processes, as its documentation shows it."""

import json
import resource
import sys

import dask
import dask.dataframe as dd
import distributed
import pandas
import pyarrow

TYPES = {
    "id": "int64",
    "user": "int64",
    "amount": "float64",
    "country": "string",
    "card_country": "string",
    "merchant": "string",
    "ts": "string",
}


def read(job):
    if job["case"] == "csv":
        return dd.read_csv(job["input"], dtype=TYPES)
    if job["case"] == "dropping":
        frame = dd.read_csv(job["input"], dtype={**TYPES, "amount": "string"})
        frame["amount"] = dd.to_numeric(frame["amount"], errors="coerce")
        return frame
    return dd.read_parquet(job["input"])


def result_of(job):
    frame = read(job)
    if job["case"] == "keys":
        # Their number is not known beforehand; without split_out all of them meet in one process.
        groups = frame.groupby("id").amount.agg(["sum", "count"], split_out=8)
        number, total, n = dask.compute(groups["sum"].size, groups["sum"].sum(), groups["count"].sum())
        return pandas.DataFrame({"user": [number], "total": [total], "n": [n], "mean": [total / number]})
    kept = frame[frame.amount > 100]
    groups = kept.groupby("user").amount.agg(["sum", "count", "mean"]).compute()
    return groups.rename(columns={"sum": "total", "count": "n"}).reset_index()


def run(job):
    result_of(job).to_parquet(job["output"], compression="snappy", index=False)


if __name__ == "__main__":
    way, given = sys.argv[1:]
    if given == "version":
        print(f"Dask {dask.__version__}, pandas {pandas.__version__}, pyarrow {pyarrow.__version__}")
        sys.exit()
    job = json.loads(given)
    if way == "cluster":
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=job["scratch"]
        ) as cluster, distributed.Client(cluster):
            run(job)
    else:
        with dask.config.set(scheduler="threads"):
            run(job)
    print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
