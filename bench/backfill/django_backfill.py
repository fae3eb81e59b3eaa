"""The published answer to the token ticket: pages of 50 by primary key, bulk_update, then the last key saved apart."""

import argparse
import urllib.parse
import uuid

import django
from django.conf import settings

SIZE = 50


def connect(url):
    parts = urllib.parse.urlparse(url)
    settings.configure(
        INSTALLED_APPS=[],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": parts.path.lstrip("/"),
                "USER": urllib.parse.unquote(parts.username or ""),
                "PASSWORD": urllib.parse.unquote(parts.password or ""),
                "HOST": parts.hostname,
                "PORT": parts.port,
            }
        },
    )
    django.setup()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("rows", type=int)
    parser.add_argument("state")
    arguments = parser.parse_args()
    connect(arguments.url)
    from django.db import models

    class Ticket(models.Model):
        id = models.BigIntegerField(primary_key=True)
        token = models.UUIDField()

        class Meta:
            app_label = "bench"
            db_table = "tickets"
            managed = False

    last = 0
    done = 0
    while done < arguments.rows:
        page = list(Ticket.objects.filter(id__gt=last).order_by("id").only("id")[:SIZE])
        if not page:
            break
        for ticket in page:
            ticket.token = uuid.uuid4()
        Ticket.objects.bulk_update(page, ["token"])
        last = page[-1].id
        done += len(page)
        with open(arguments.state, "w") as state:
            state.write(str(last))
    print(done)


if __name__ == "__main__":
    main()
