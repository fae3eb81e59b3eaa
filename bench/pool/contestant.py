"""Does one work with multiprocessing, and prints the timing as contestant.ts does: the rule of stopwatch.ts."""

import json
import multiprocessing
import statistics
import sys
import time
from multiprocessing import resource_tracker, shared_memory

import numpy

FLOATS = 10_000_000
PARTS = 4


def total(data):
    return sum(data)


def square(x):
    return x * x


def square_copy(part):
    return part**2


def square_shared(place):
    name, begin, end = place
    memory = shared_memory.SharedMemory(name=name)
    part = numpy.ndarray((FLOATS,), dtype=numpy.float64, buffer=memory.buf)[begin:end]
    numpy.multiply(part, part, out=part)
    del part
    memory.close()


def once(work):
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def timed(work):
    cold = once(work)
    spent = cold
    while spent < 400:
        spent += once(work)
    rounds = []
    while sum(rounds) < 5000 and (len(rounds) < 5 or sum(rounds) < 500):
        rounds.append(once(work))
    return {"cold": cold, "warm": statistics.median(rounds)}


if __name__ == "__main__":
    work, count, amount = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # Before there are workers: each would start a tracker of its own, and warn of memory that is not its own.
    resource_tracker.ensure_running()
    with multiprocessing.Pool() as pool:
        if work == "sum":
            items = [bytes([i % 256]) * amount for i in range(count)]
            timing = timed(lambda: pool.map(total, items))
        elif work == "square":
            items = list(range(count))
            timing = timed(lambda: pool.map(square, items))
        elif work == "floats copied":
            parts = numpy.array_split(numpy.ones(FLOATS), PARTS)
            timing = timed(lambda: pool.map(square_copy, parts, chunksize=1))
        elif work == "floats shared":
            memory = shared_memory.SharedMemory(create=True, size=FLOATS * 8)
            numpy.ndarray((FLOATS,), dtype=numpy.float64, buffer=memory.buf)[:] = 1
            size = FLOATS // PARTS
            places = [(memory.name, at * size, (at + 1) * size) for at in range(PARTS)]
            timing = timed(lambda: pool.map(square_shared, places, chunksize=1))
            memory.close()
            memory.unlink()
        else:
            raise SystemExit(f"There is no work {work}")
    print(json.dumps(timing))
