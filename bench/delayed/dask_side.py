"""The graphs of graph.ts as Dask's documentation builds them; what a call costs beyond its function."""

import json
import sys
import time

import dask


@dask.delayed
def increment(x):
    return x + 1


@dask.delayed
def add(a, b):
    return a + b


@dask.delayed
def total(parts):
    return sum(parts)


def graph(shape, calls):
    if shape == "wide":
        return total([increment(n) for n in range(calls - 1)])
    if shape == "chain":
        value = increment(0)
        for _ in range(calls - 1):
            value = increment(value)
        return value
    level = [increment(n) for n in range((calls + 1) // 2)]
    while len(level) > 1:
        pairs = [add(a, b) for a, b in zip(level[::2], level[1::2])]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


def compute(shape, calls, scheduler):
    # Large chains are nested deeper than Python's stack is by default.
    sys.setrecursionlimit(10 * calls + 1_000)
    made = graph(shape, calls)
    began = time.perf_counter()
    value = made.compute(scheduler=scheduler)
    print(json.dumps({"value": value, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(f"Dask {dask.__version__}")
        sys.exit()
    shape, calls, scheduler = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if scheduler == "cluster":
        from dask.distributed import Client

        with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
            compute(shape, calls, client)
    else:
        compute(shape, calls, scheduler)
