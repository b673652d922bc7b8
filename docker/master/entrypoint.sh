#!/bin/sh
# Gives this container its configuration, then runs Odoo or whatever it is asked to.
set -eu

admin_passwd=/run/saas/web/admin_passwd
if [ -r "$admin_passwd" ]; then
    umask 077
    awk -v file="$admin_passwd" '
        { print }
        /^\[options\]/ { getline secret < file; print "admin_passwd = " secret }
    ' /etc/odoo/odoo.conf >"$ODOO_RC.new"
    mv "$ODOO_RC.new" "$ODOO_RC"
    umask 022
else
    case "${1:-odoo}" in
        odoo | -* | saas-setup)
            echo "$admin_passwd cannot be read: run the service keys first." >&2
            exit 1
            ;;
    esac
fi

case "${1:-odoo}" in
    odoo) exec "$@" ;;
    -*) exec odoo "$@" ;;
    *) exec "$@" ;;
esac
