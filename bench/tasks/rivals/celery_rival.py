"""Enqueues and drains with Celery as contestant.ts does with the others, and prints the same."""

import json
import os
import subprocess
import sys
import time

url, tasks, warm = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ["BROKER"] = url
sys.path.insert(0, os.path.dirname(__file__))
import redis  # noqa: E402
from celery_tasks import app, nothing  # noqa: E402

broker = redis.Redis.from_url(url)


def enqueue(count):
    # One connection for all, as its guide has it for many messages.
    with app.producer_pool.acquire(block=True) as producer:
        for number in range(count):
            nothing.apply_async((number,), producer=producer)


def left():
    return broker.llen("celery") + broker.hlen("unacked")


def drain(count):
    app.control.add_consumer("celery")
    while left() >= count:
        time.sleep(0.001)
    began = time.perf_counter()
    while left() > 0:
        time.sleep(0.01)
    took = time.perf_counter() - began
    app.control.cancel_consumer("celery", reply=True, timeout=5)
    return took


command = [sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--loglevel=ERROR"]
command += ["--concurrency", str(os.cpu_count()), "--without-gossip", "--without-mingle", "--without-heartbeat"]
worker = subprocess.Popen(command, cwd=os.path.dirname(__file__), stdout=subprocess.DEVNULL)
try:
    while not app.control.ping(timeout=1):
        pass
    app.control.cancel_consumer("celery", reply=True, timeout=5)
    enqueue(warm)
    drain(warm)
    began = time.perf_counter()
    enqueue(tasks)
    enqueued = time.perf_counter() - began
    print(json.dumps({"enqueueMs": enqueued * 1000, "drainMs": drain(tasks) * 1000}))
finally:
    worker.terminate()
    worker.wait()
