#!/bin/sh
# Traefik takes its static configuration from one place only, and a file cannot name
# variables: so the port is put into a copy of it.
set -eu

case "${1:-traefik}" in
    traefik) ;;
    *) exec "$@" ;;
esac

port=${SAAS_HTTP_PORT:-8080}
case "$port" in
    '' | *[!0-9]*)
        echo "SAAS_HTTP_PORT is not a port: $port" >&2
        exit 1
        ;;
esac
if [ ! -e /etc/traefik/routes/master.yml ]; then
    echo "/etc/traefik/routes has no route to the master: run the service keys first." >&2
    exit 1
fi
sed "s/@SAAS_HTTP_PORT@/$port/" /etc/traefik/traefik.yml >/tmp/traefik.yml
exec traefik --configFile=/tmp/traefik.yml
