#!/bin/bash
# Same contract as the official image: `odoo` or options start the server, anything
# else is run as it is. HOST, PORT, USER and PASSWORD are the database server where
# /etc/odoo/odoo.conf names none; they reach Odoo through libpq's variables, as
# arguments would show in every process list.
set -euo pipefail

config=${ODOO_RC:=/etc/odoo/odoo.conf}
export ODOO_RC

option() {
    sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$config" 2>/dev/null | head -n 1
}

if [ -n "${HOST:-}" ]; then export PGHOST="$HOST"; fi
if [ -n "${PORT:-}" ] && [[ "$PORT" =~ ^[0-9]+$ ]]; then export PGPORT="$PORT"; fi
if [ -n "${PASSWORD:-}" ]; then
    export PGPASSWORD="$PASSWORD"
    export PGUSER="${USER:-odoo}"
fi

# The distribution's one is a wrapper in Perl, which takes longer than its answer.
pg_isready=$(compgen -G "/usr/lib/postgresql/*/bin/pg_isready" | tail -n 1 || true)

wait_for_database() {
    local host port
    host=$(option db_host)
    port=$(option db_port)
    if [ -z "$host" ] || [ "$host" = False ]; then host=${PGHOST:-}; fi
    if [ -z "$port" ] || [ "$port" = False ]; then port=${PGPORT:-5432}; fi
    if [ -z "$host" ]; then return; fi
    for _ in $(seq 150); do
        if "${pg_isready:-pg_isready}" --quiet --host "$host" --port "$port" --timeout 2; then return; fi
        sleep 0.2
    done
    echo "The database server at $host:$port does not answer." >&2
    exit 1
}

case "${1:-odoo}" in
    odoo | -*)
        if [ "${1:-}" = odoo ]; then shift; fi
        if [ "${1:-}" != scaffold ]; then wait_for_database; fi
        exec odoo "$@"
        ;;
    *)
        exec "$@"
        ;;
esac
