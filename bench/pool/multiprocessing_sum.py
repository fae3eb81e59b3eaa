"""Sums bytes with multiprocessing.Pool.map; prints the milliseconds of the second of two rounds."""

import multiprocessing
import sys
import time


def total(data):
    return sum(data)


if __name__ == "__main__":
    count, size = int(sys.argv[1]), int(sys.argv[2])
    items = [bytes([i % 256]) * size for i in range(count)]
    with multiprocessing.Pool() as pool:
        for _ in range(2):
            began = time.perf_counter()
            pool.map(total, items)
            seconds = time.perf_counter() - began
    print(round(seconds * 1000, 1))
