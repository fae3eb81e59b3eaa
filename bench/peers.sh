#!/usr/bin/env bash
# Installs what the benchmarks measure against, apart from the package: a Python environment and psql.
set -euo pipefail
cd "$(dirname "$0")"
python3 -m venv .peers
.peers/bin/pip install --quiet --disable-pip-version-check numpy pandas sqlalchemy psycopg2-binary django
npm install --silent --no-audit --no-fund --ignore-scripts --prefix .peers piscina tinypool workerpool
if ! command -v psql >/dev/null || ! command -v pgbench >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install --yes --quiet postgresql-client
  else
    echo "psql or pgbench is missing: install the PostgreSQL client with the package manager of this system." >&2
    exit 1
  fi
fi
psql --version
.peers/bin/python -c 'import django, pandas, sqlalchemy; print("pandas", pandas.__version__, "sqlalchemy", sqlalchemy.__version__, "django", django.__version__)'
