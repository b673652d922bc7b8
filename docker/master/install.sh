#!/bin/sh
# Adds to Odoo what the master needs: libraries of our addons, addons of the OCA.
set -eu
export DEBIAN_FRONTEND=noninteractive

packages=
for pair in docker:python3-docker nacl:python3-nacl jwt:python3-jwt \
    cryptography:python3-cryptography psycopg2:python3-psycopg2 \
    passlib:python3-passlib boto3:python3-boto3 dns:python3-dnspython; do
    python3 -c "import ${pair%%:*}" 2>/dev/null || packages="$packages ${pair#*:}"
done
if [ -n "$packages" ]; then
    apt-get update
    # shellcheck disable=SC2086
    apt-get install --yes --no-install-recommends $packages
fi

mkdir -p /opt/oca /opt/saas/addons
for wheel in /tmp/master/*.whl; do
    if [ ! -e "$wheel" ]; then
        echo "docker/master/downloads holds no wheel: fetch them with" \
            "pip download --no-deps --require-hashes -r docker/master/oca.txt" >&2
        exit 1
    fi
    python3 -m zipfile -e "$wheel" /opt/oca
done
# For what is no addon; the addons themselves are found by the addons path.
site=$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mkdir -p "$site"
ln -sfn /opt/oca/openupgradelib "$site/openupgradelib"
python3 -m compileall -q /opt/oca
python3 -c 'import docker, nacl.public, jwt, cryptography, dns, openupgradelib'

# Volumes take their owner from here.
mkdir -p /run/odoo /run/saas/web /run/saas/worker /var/lib/saas/routes /var/cache/saas
chown odoo:odoo /run/saas/web /run/saas/worker /var/lib/saas/routes /var/cache/saas
chmod 0700 /run/saas/web /run/saas/worker
# A tmpfs over it takes this mode, and belongs to root.
chmod 1777 /run/odoo
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log \
    /tmp/master
