#!/bin/sh
# Makes the cluster on the first start, brings roles and grants to what they should be
# on every start, then becomes the server. A kill at any point is made good by the next
# start: the cluster gets its name when it is whole, and the rest can be repeated.
#
# SAAS_DB_SOCKETS (directories, by commas) makes it a tenant's own: it listens there and
# nowhere else, at PGPORT, and holds nothing of the master.
set -eu

volume=/var/lib/postgresql/data
keys=/run/saas/db
PGDATA=$volume/17
export PGDATA

fail() {
    echo "$1" >&2
    exit 1
}

case "${1:-postgres}" in
    postgres) ;;
    *) exec "$@" ;;
esac

roles="saas_master saas_provisioner"
[ -z "${SAAS_DB_SOCKETS:-}" ] || roles=saas_provisioner
for role in $roles; do
    [ -s "$keys/$role" ] || fail "$keys/$role is missing: run the service keys first."
done

# PostgreSQL's own lock does not see a server in another container.
exec 9>>"$volume/.lock"
flock --nonblock 9 || fail "Another server uses this volume: stop it first."

if [ ! -d "$PGDATA" ]; then
    rm -rf "$PGDATA.new"
    # Sorting that does not depend on the base image's C library.
    initdb --pgdata="$PGDATA.new" --username=postgres --data-checksums \
        --auth-local=peer --auth-host=scram-sha-256 --encoding=UTF8 \
        --locale-provider=builtin --builtin-locale=C.UTF-8 \
        --locale=C.UTF-8 --lc-collate=C --no-instructions
    mv "$PGDATA.new" "$PGDATA"
    sync --file-system "$volume"
fi

# Before ext4 makes a file it passes over each one beside it that was deleted within
# minutes: after a database was dropped, cloning another takes five times as long.
# With this mark it spreads the databases over the disk. Elsewhere there is no need.
chattr +T "$PGDATA/base" 2>/dev/null || true

set -- -c config_file=/etc/saas/postgresql.conf -c hba_file=/etc/saas/pg_hba.conf \
    -c "max_connections=${SAAS_DB_MAX_CONNECTIONS:-400}" \
    -c "shared_buffers=${SAAS_DB_SHARED_BUFFERS:-256MB}"

# A tenant's own has few in all, and the master alone beside its tenant.
[ -z "${SAAS_DB_SOCKETS:-}" ] || set -- "$@" -c reserved_connections=6

# By the socket alone: nobody else comes in before roles and grants are right.
pg_ctl --wait --timeout=300 --silent --options="$* -c listen_addresses=" start
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres \
    --file=/etc/saas/prepare.sql
if [ -z "${SAAS_DB_SOCKETS:-}" ]; then
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres \
        --dbname=postgres --file=/etc/saas/master.sql
fi
pg_ctl --wait --timeout=300 --silent --mode=fast stop

if [ -n "${SAAS_DB_SOCKETS:-}" ]; then
    # What a server left there that was killed; there is no other one at this port.
    for directory in $(echo "$SAAS_DB_SOCKETS" | tr , ' '); do
        rm -f "$directory/.s.PGSQL.$PGPORT" "$directory/.s.PGSQL.$PGPORT.lock"
    done
    # In a network of its own, so that nobody else has this address.
    set -- "$@" -c listen_addresses=127.0.0.1 -c hba_file=/etc/saas/pg_hba_own.conf \
        -c "unix_socket_directories=$SAAS_DB_SOCKETS"
fi
exec postgres "$@"
