"""What people read about each finding: its state, what was found, how to mend it."""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

SENTENCES = {
    "worker_silent": (
        "failed",
        _lt("The worker has not looked at this for %(seconds)s seconds."),
        _lt(
            "See whether it runs (make ps, make logs SERVICE=worker), then check again."
        ),
    ),
    # === DOMAIN === #
    "domain_missing": (
        "missing",
        _lt("There is no domain for tenants yet."),
        _lt("Enter one whose DNS records you can set, such as odoo.example.com."),
    ),
    "domain_invalid": (
        "failed",
        _lt("“%(domain)s” cannot be the tenants' domain. %(cause)s"),
        _lt("Enter a host name such as odoo.example.com."),
    ),
    "domain_shared": (
        "failed",
        _lt(
            "One of %(domain)s and %(master)s, where the master is, lies within the "
            "other, so a tenant could set cookies for the master."
        ),
        _lt("Take another domain for the tenants."),
    ),
    "dns_silent": (
        "failed",
        _lt("Nobody could say where names under %(domain)s lead: %(cause)s."),
        _lt("See that the worker's machine reaches its name server, then check again."),
    ),
    "dns_missing": (
        "missing",
        _lt("Names under %(domain)s lead nowhere."),
        _lt(
            "Where your DNS records are, add a wildcard record *.%(domain)s that leads "
            "to the same address as %(master)s. It may take some minutes to be seen."
        ),
    ),
    "dns_master_missing": (
        "missing",
        _lt("%(master)s, the name of the master, leads nowhere."),
        _lt(
            "Where your DNS records are, add one for %(master)s that leads to the "
            "proxy, or correct SAAS_HOST."
        ),
    ),
    "dns_elsewhere": (
        "failed",
        _lt(
            "Names under %(domain)s lead to %(addresses)s, and %(master)s to %(proxy)s."
        ),
        _lt(
            "Both have to lead to the proxy: correct the wildcard record *.%(domain)s."
        ),
    ),
    "domain_ok": (
        "ok",
        _lt("Every name under %(domain)s leads to %(addresses)s, as %(master)s does."),
        None,
    ),
    "domain_ok_related": (
        "ok",
        _lt("Every name under %(domain)s leads to %(addresses)s, as %(master)s does."),
        _lt(
            "Master and tenants are both under %(parent)s, for which every tenant can "
            "set cookies. A domain of its own for the tenants is safer."
        ),
    ),
    "domain_ok_local": (
        "ok",
        _lt("Every name under %(domain)s leads to this machine."),
        _lt("That works in browsers on this machine alone, so it is for trials only."),
    ),
    # === DATABASE SERVER, PROXY, SERVER === #
    "record_ok": ("ok", _lt("%(name)s works: %(message)s."), None),
    "record_failed": (
        "failed",
        _lt("%(name)s does not work: %(cause)s"),
        _lt("Open it, correct what the sentence names, and check again."),
    ),
    "database_server_missing": (
        "missing",
        _lt("There is no PostgreSQL yet that holds the tenants' databases."),
        _lt("Take the one that comes with this stack, if it is shown, or enter yours."),
    ),
    "server_missing": (
        "missing",
        _lt("There is no engine yet that runs the tenants' containers."),
        _lt("Take this machine's, if it is shown, or enter another's."),
    ),
    "server_no_driver": (
        "missing",
        _lt("The master knows no kind of engine yet."),
        _lt("Install an app for one, such as “SaaS Master: Docker”."),
    ),
    "server_too_early": (
        "missing",
        _lt("There is no engine yet that runs the tenants' containers."),
        _lt("First set up the database server and the proxy."),
    ),
    "proxy_missing": (
        "missing",
        _lt("There is no proxy yet that leads visitors to the tenants."),
        _lt("Take the one that comes with this stack, if it is shown, or enter yours."),
    ),
    "proxy_no_domain": (
        "failed",
        _lt("The proxy cannot be tried without a domain for tenants."),
        _lt("Set the domain first."),
    ),
    "proxy_silent": (
        "failed",
        _lt("%(name)s does not answer at %(url)s: %(cause)s."),
        _lt("Start the proxy, or open it and correct the worker's address of it."),
    ),
    "proxy_no_master": (
        "failed",
        _lt("%(name)s answers at %(url)s, but knows no way to %(master)s."),
        _lt("Give it a route for the master's name, or correct SAAS_HOST."),
    ),
    "proxy_master_down": (
        "failed",
        _lt("%(name)s knows %(master)s, but gets no good answer there (%(status)s)."),
        _lt("See whether the master's web process runs, then check again."),
    ),
    "proxy_ignores_routes": (
        "failed",
        _lt("%(name)s answers at %(url)s, but takes no notice of new routes."),
        _lt(
            "See that it watches the very folder that the worker writes, and that the "
            "address belongs to this proxy."
        ),
    ),
    "proxy_ok": (
        "ok",
        _lt("%(name)s leads to %(master)s, and takes new routes at once."),
        None,
    ),
    # === CERTIFICATE === #
    "certificate_no_proxy": (
        "missing",
        _lt("There is no proxy yet that could show a certificate."),
        _lt("First set up the proxy."),
    ),
    "certificate_none": (
        "ok",
        _lt("Tenants are served without HTTPS at http://….%(domain)s%(port)s."),
        _lt(
            "That is for trials only: anybody on the way reads along. For customers, "
            "switch HTTPS on, or put a certificate for *.%(domain)s in front."
        ),
    ),
    "certificate_silent": (
        "failed",
        _lt("Nobody speaks HTTPS for %(host)s at port %(port)s: %(cause)s."),
        _lt(
            "See that the port is open and has a certificate, or correct scheme and "
            "port of the proxy."
        ),
    ),
    "certificate_expired": (
        "failed",
        _lt("The certificate for %(host)s has expired."),
        _lt("Renew it, and see why that did not happen by itself."),
    ),
    "certificate_too_early": (
        "failed",
        _lt("The certificate for %(host)s is not valid yet."),
        _lt("Look at the machine's clock, or wait until it is."),
    ),
    "certificate_wrong_name": (
        "failed",
        _lt("The certificate that visitors of %(host)s get is for other names."),
        _lt("Get one for *.%(domain)s and %(master)s."),
    ),
    "certificate_untrusted": (
        "failed",
        _lt("Browsers do not trust the certificate for %(host)s: %(cause)s."),
        _lt("Get one from a known authority, and serve its whole chain."),
    ),
    "certificate_ok": (
        "ok",
        _lt("The certificate for *.%(domain)s is good for %(days)s more days."),
        None,
    ),
    "certificate_ok_expiring": (
        "ok",
        _lt("The certificate for %(host)s is good for %(days)s more days only."),
        _lt("See that it is renewed in time."),
    ),
    # === MAIL === #
    "mail_missing": (
        "missing",
        _lt("There is no outgoing mail server, so no customer gets a mail."),
        _lt("Add the one of your mail provider, or a relay of your own."),
    ),
    "mail_no_sender": (
        "missing",
        _lt("Your company %(company)s has no e-mail address to write from."),
        _lt("Open your company and enter one."),
    ),
    "mail_failed": (
        "failed",
        _lt("%(name)s does not take mail: %(cause)s"),
        _lt("Open it, correct what the sentence names, and check again."),
    ),
    "mail_ok": (
        "ok",
        _lt("%(name)s takes mail from %(sender)s."),
        None,
    ),
    "mail_sent": (
        "ok",
        _lt("%(name)s has taken a test mail to %(receiver)s."),
        _lt("Look whether it has come, and not into spam."),
    ),
    # === PLAN === #
    "plan_missing": (
        "missing",
        _lt("There is no plan yet, which says what a tenant is made of."),
        _lt("Name your first one, and what is installed in it."),
    ),
    "plan_no_image": (
        "missing",
        _lt("There is no image yet: the Odoo that tenants run."),
        _lt("Take the one that comes with this stack, or enter one that servers have."),
    ),
    "plan_no_server": (
        "missing",
        _lt("The plan %(plan)s is there, but no server that could build it."),
        _lt("First set up the server."),
    ),
    "plan_unbuilt": (
        "missing",
        _lt("Nothing is built yet that tenants of the plan %(plan)s are cloned from."),
        _lt("Build it now; that takes about a minute, once."),
    ),
    "plan_building": (
        "checking",
        _lt("What tenants of the plan %(plan)s are cloned from is being built."),
        _lt("That takes about a minute, once."),
    ),
    "plan_failed": (
        "failed",
        _lt(
            "What tenants of the plan %(plan)s are cloned from cannot be built: "
            "%(cause)s"
        ),
        _lt("Mend what the sentence names, then build it again."),
    ),
    "plan_ok": (
        "ok",
        _lt("The plan %(plan)s is ready: %(image)s with %(modules)s."),
        None,
    ),
    # === TENANT === #
    "tenant_too_early": (
        "missing",
        _lt("There is no tenant yet."),
        _lt("First have a plan that is ready."),
    ),
    "tenant_missing": (
        "missing",
        _lt("There is no tenant yet."),
        _lt("Make the first one, for yourself or for a customer."),
    ),
    "tenant_draft": (
        "missing",
        _lt("%(tenant)s is entered, and does not run yet."),
        _lt("Provision it."),
    ),
    "tenant_provisioning": (
        "checking",
        _lt("%(tenant)s is being made."),
        _lt("That takes some seconds."),
    ),
    "tenant_failed": (
        "failed",
        _lt("%(tenant)s could not be made: %(cause)s"),
        _lt("Mend what the sentence names, then provision it again."),
    ),
    "tenant_down": (
        "failed",
        _lt("%(tenant)s does not run: it is %(state)s."),
        _lt("Open it and start it."),
    ),
    "tenant_ok": ("ok", _lt("%(tenant)s runs at %(url)s."), None),
}
