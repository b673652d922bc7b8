#!/bin/sh
# Installs Odoo into an image, or only what is missing where the base image has it.
set -eu
export DEBIAN_FRONTEND=noninteractive

# The same numbers whatever the base is: volumes are shared with other images.
if getent passwd odoo >/dev/null; then
    groupmod --gid 101 odoo
    usermod --uid 101 --gid 101 odoo
else
    groupadd --system --gid 101 odoo
    useradd --system --uid 101 --gid 101 --home-dir /var/lib/odoo \
        --shell /usr/sbin/nologin odoo
fi

cat >/etc/dpkg/dpkg.cfg.d/saas-odoo <<'SLIM'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/unicode/*
SLIM
# Packages that install services must not start them here.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 0755 /usr/sbin/policy-rc.d
# Everything is compiled once, at the end.
dpkg-divert --quiet --local --rename --add /usr/bin/py3compile
ln -s /bin/true /usr/bin/py3compile

apt-get update
packages="fontconfig fonts-droid-fallback python3-jwt python3-cryptography"
command -v wkhtmltopdf >/dev/null || packages="$packages weasyprint"
if ! command -v odoo >/dev/null; then
    deb=$(find /tmp/downloads -name 'odoo-19_*.deb' | head -n 1)
    if [ -z "$deb" ]; then
        echo "docker/odoo/downloads holds no odoo-19_*.deb" >&2
        exit 1
    fi
    packages="$packages postgresql-client $deb"
fi
# shellcheck disable=SC2086
apt-get install --yes --no-install-recommends $packages

rm /usr/bin/py3compile
dpkg-divert --quiet --local --rename --remove /usr/bin/py3compile

# The Odoo package carries a second, incomplete copy of its addons, and fonttools wants
# for designing fonts what WeasyPrint does not import.
packages_path=/usr/lib/python3/dist-packages
rm -rf "$packages_path/addons" "$packages_path/setup" "$packages_path/doc" \
    "$packages_path/odoo/addons/iot_box_image" \
    "$packages_path/scipy" "$packages_path/sympy"
# A tenant's file system is read-only: what is not compiled now is compiled at each boot.
python3 -m compileall -q -j 0 -x '/(tests|upgrade_code|static)/' "$packages_path" || true

apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old \
    /var/cache/fontconfig/* /var/log/apt /var/log/dpkg.log /usr/sbin/policy-rc.d \
    /etc/init.d/odoo /etc/logrotate.d/odoo* /tmp/downloads
fc-cache --force --system-only

mkdir -p /mnt/extra-addons /var/lib/odoo /etc/odoo
chown -R odoo:odoo /var/lib/odoo /mnt/extra-addons
chown root:odoo /etc/odoo
if [ -f /etc/odoo/odoo.conf ]; then chown root:odoo /etc/odoo/odoo.conf; fi
