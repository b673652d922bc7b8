#!/bin/sh
# Brings a distribution's image to what ours build on.
set -eu
export DEBIAN_FRONTEND=noninteractive

cat >/etc/dpkg/dpkg.cfg.d/saas-slim <<'SLIM'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
SLIM
printf 'APT::Install-Recommends "false";\nAcquire::Retries "3";\n' \
    >/etc/apt/apt.conf.d/80saas

# The programs of a trust store and no more: what else is needed belongs to each image.
if [ ! -f /etc/ssl/certs/ca-certificates.crt ]; then
    apt-get update
    apt-get install --yes ca-certificates
fi
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log \
    /tmp/install.sh
