#!/bin/sh
# Traefik takes its static configuration from one place only, and a file cannot name
# variables: so they are put into a copy of it.
set -euf

case "${1:-traefik}" in
    traefik) ;;
    *) exec "$@" ;;
esac

# Refuses what is not made of the given characters: it goes into a configuration.
only() {
    case "$2" in
        *[!$3]*)
            echo "$1 cannot be used: $2" >&2
            exit 1
            ;;
    esac
}

port=${SAAS_HTTP_PORT:-8080} secure=${SAAS_HTTPS_PORT:-}
only SAAS_HTTP_PORT "$port" 0-9
only SAAS_HTTPS_PORT "$secure" 0-9
email=${SAAS_ACME_EMAIL:-} dns=${SAAS_ACME_DNS:-} hours=${SAAS_ACME_HOURS:-2160}
server=${SAAS_ACME_SERVER:-https://acme-v02.api.letsencrypt.org/directory}
only SAAS_ACME_EMAIL "$email" 0-9A-Za-z.@_+-
only SAAS_ACME_SERVER "$server" 0-9A-Za-z.:/_~%-
only SAAS_ACME_DNS "$dns" 0-9a-z
only SAAS_ACME_HOURS "$hours" 0-9
wait=${SAAS_ACME_DNS_WAIT:-}
only SAAS_ACME_DNS_WAIT "$wait" 0-9
resolvers=''
for address in $(echo "${SAAS_ACME_DNS_RESOLVERS:-}" | tr ',' ' '); do
    only SAAS_ACME_DNS_RESOLVERS "$address" 0-9A-Za-z.:-
    resolvers="$resolvers'$address',"
done
authority=''
if [ -s /etc/traefik/acme-ca.pem ]; then
    authority=/etc/traefik/acme-ca.pem
fi
# What the stack has: lines that begin with these words count.
have=''
if [ -n "$secure" ]; then
    have="$have https"
    if [ -n "$email" ]; then
        have="$have acme"
        if [ -n "$dns" ]; then
            have="$have dns"
            # Credentials of whoever runs the DNS; in no environment that is inspected.
            set -a
            . /etc/traefik/acme-dns.env
            set +a
        fi
    fi
fi
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
cp /etc/traefik/traefik.yml /tmp/traefik.yml
for word in $have; do
    sed -i "s/^#$word //" /tmp/traefik.yml
done
sed -i -e "s/@SAAS_HTTP_PORT@/$port/" -e "s/@SAAS_HTTPS_PORT@/$secure/" \
    -e "s|@SAAS_TRUSTED_PROXIES@|$proxies|" -e "s/@BEHIND_PROXIES@/$behind/" \
    -e "s/@SAAS_ACME_EMAIL@/$email/" -e "s|@SAAS_ACME_SERVER@|$server|" \
    -e "s/@PROPAGATION@/${wait:+disableChecks: true, delayBeforeChecks: ${wait}s}/" \
    -e "s|@SAAS_ACME_CA@|$authority|" -e "s/@SAAS_ACME_HOURS@/$hours/" \
    -e "s/@SAAS_ACME_DNS@/$dns/" -e "s|@SAAS_ACME_DNS_RESOLVERS@|$resolvers|" \
    /tmp/traefik.yml
exec traefik --configFile=/tmp/traefik.yml
