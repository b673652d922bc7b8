#!/bin/sh
# Traefik takes its static configuration from one place only, and a file cannot name
# variables: so they are put into a copy of it.
set -euf

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
proxies='' behind=false
for address in $(echo "${SAAS_TRUSTED_PROXIES:-}" | tr ',' ' '); do
    case "$address" in
        *[!0-9A-Fa-f.:/]*)
            echo "SAAS_TRUSTED_PROXIES names no address or network: $address" >&2
            exit 1
            ;;
    esac
    proxies="$proxies'$address'," behind=true
done
if [ ! -e /etc/traefik/routes/master.yml ]; then
    echo "/etc/traefik/routes has no route to the master: run the service keys first." >&2
    exit 1
fi
sed -e "s/@SAAS_HTTP_PORT@/$port/" -e "s|@SAAS_TRUSTED_PROXIES@|$proxies|" \
    -e "s/@BEHIND_PROXIES@/$behind/" /etc/traefik/traefik.yml >/tmp/traefik.yml
exec traefik --configFile=/tmp/traefik.yml
