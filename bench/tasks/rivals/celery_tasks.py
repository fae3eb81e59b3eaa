"""What the Celery worker runs: a task that does nothing, with the settings its guide has for many short ones."""

import os

from celery import Celery

app = Celery("celery_tasks", broker=os.environ["BROKER"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=128,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=10,
)


@app.task(name="nothing")
def nothing(number):
    pass
