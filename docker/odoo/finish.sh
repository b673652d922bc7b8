#!/bin/sh
# Puts our own parts where Odoo and Python look for them, whatever the base image is.
set -eu

addons=$(python3 -c 'import importlib.util as u; print(u.find_spec("odoo.release").origin)')
addons=${addons%/*}/addons
ln -sfn /opt/saas/addons/saas_agent "$addons/saas_agent"

# The package lacks what its licence does not allow, and the bundle that lists it then
# logs an error on every page.
missing=$addons/mail/static/lib/selfie_segmentation/selfie_segmentation.js
if [ ! -e "$missing" ]; then
    mkdir -p "${missing%/*}"
    : >"$missing"
fi

# The distribution's sitecustomize lies before every path that we could add.
stdlib=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
ln -sfn /usr/local/lib/saas/sitecustomize.py "$stdlib/sitecustomize.py"
python3 -c 'import sitecustomize; assert sitecustomize.TARGET == "odoo.sql_db"'

ln -sfn /usr/local/lib/saas/saas_init.py /usr/local/bin/saas-init

# The real one stays where the base image has it.
if ! command -v wkhtmltopdf >/dev/null; then
    ln -sfn /usr/local/lib/saas/wkhtmltopdf.py /usr/local/bin/wkhtmltopdf
fi
# The package's own file names a user and an empty server; it is not ours to guess.
if grep -q '^db_host = False' /etc/odoo/odoo.conf; then
    printf '[options]\ndata_dir = /var/lib/odoo\nhttp_interface = 0.0.0.0\n' \
        >/etc/odoo/odoo.conf
fi

python3 -m compileall -q /opt/saas /usr/local/lib/saas "$stdlib/sitecustomize.py"
rm -f /tmp/install.sh /tmp/finish.sh
