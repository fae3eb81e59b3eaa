"""Dask's Bag, with processes as it has by default, as its documentation shows it."""

import json
import resource
import sys

import dask
import dask.bag as db


def parse(line):
    try:
        return json.loads(line)
    except ValueError:
        return None


def run(job):
    parsed = db.read_text(job["input"], blocksize="8MiB").map(parse)
    messages = (
        parsed.filter(lambda event: event is not None)
        .filter(lambda event: event["level"] == "ERROR")
        .pluck("message")
    )
    # In one call, so that the lines are read once.
    read, malformed, count = dask.compute(
        parsed.count(), parsed.filter(lambda event: event is None).count(), messages.count()
    )
    return {"read": read, "malformed": malformed, "count": count}


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(f"Dask {dask.__version__}")
        sys.exit()
    counted = run(json.loads(sys.argv[1]))
    print(json.dumps({**counted, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
