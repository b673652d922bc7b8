#!/bin/sh
# Installs what backups are made with, or only what is missing.
set -eu
export DEBIAN_FRONTEND=noninteractive

apt-get update
apt-get install --yes --no-install-recommends \
    postgresql-client-17 zstd python3 python3-boto3 python3-cryptography python3-nacl \
    python3-psycopg2 tzdata
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log \
    /tmp/install.sh
