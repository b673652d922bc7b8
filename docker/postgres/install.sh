#!/bin/sh
# Installs PostgreSQL, pgBackRest and chattr, or only what is missing.
set -eu
export DEBIAN_FRONTEND=noninteractive

# The number that the official image gives it: the volume can be used by either.
getent group postgres >/dev/null || groupadd --system --gid 999 postgres
getent passwd postgres >/dev/null ||
    useradd --system --uid 999 --gid 999 --home-dir /var/lib/postgresql \
        --shell /bin/sh postgres

packages=
[ -x /usr/lib/postgresql/17/bin/postgres ] || packages="postgresql-17"
command -v pgbackrest >/dev/null || packages="$packages pgbackrest"
command -v chattr >/dev/null || packages="$packages e2fsprogs"
if [ -n "$packages" ]; then
    # Otherwise the package makes a cluster of its own in the image.
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
    apt-get update
    # shellcheck disable=SC2086
    apt-get install --yes --no-install-recommends $packages
fi

# Just-in-time compilation is off (config/postgresql.conf), and its compiler is large.
rm -rf /usr/lib/postgresql/17/lib/bitcode /usr/lib/postgresql/17/lib/llvmjit*.so
find /usr/lib -name 'libLLVM*.so*' -delete
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log \
    /var/log/postgresql /tmp/install.sh
mkdir -p /var/lib/postgresql/data /var/run/postgresql /run/saas/db \
    /run/saas/postgres /var/lib/pgbackrest
chown postgres:postgres /var/lib/postgresql /var/lib/postgresql/data \
    /var/run/postgresql /run/saas/db /run/saas/postgres /var/lib/pgbackrest
chmod 0700 /var/lib/postgresql/data /run/saas/db
# A tmpfs over it takes this mode, and belongs to root.
chmod 1777 /var/run/postgresql
