"""The published answer to the ingest ticket: chunks of 100,000 rows through a process pool and to_sql.

With the default method of to_sql, which measured four times as fast here as `method="multi"`.
"""

import argparse
import multiprocessing

import pandas
import sqlalchemy

CHUNK = 100_000
engine = None


def connect(url):
    global engine
    engine = sqlalchemy.create_engine(url)


def load(job):
    chunk, table = job
    chunk["email"] = chunk["email"].str.lower()
    chunk["name"] = chunk["name"].str.strip()
    chunk.to_sql(table, engine, if_exists="append", index=False)
    return len(chunk)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("url")
    parser.add_argument("table")
    arguments = parser.parse_args()
    url = arguments.url.replace("postgres://", "postgresql+psycopg2://", 1)
    chunks = pandas.read_csv(arguments.file, chunksize=CHUNK)
    jobs = ((chunk, arguments.table) for chunk in chunks)
    with multiprocessing.Pool(initializer=connect, initargs=(url,)) as pool:
        print(sum(pool.imap_unordered(load, jobs)))


if __name__ == "__main__":
    main()
