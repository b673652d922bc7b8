from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Domain
from odoo.tools import formatLang

from ..const import STATES_BY_URGENCY, TROUBLED, TROUBLED_ATTEMPTS, UNFINISHED

SLOW = timedelta(minutes=10)  # an operation that takes longer needs a look
BRIM_PERCENT = 98  # of anything that a server has: nothing more fits
ITEMS_OF_A_SORT = 20  # the rest is one line that leads to a list
LEVELS = ("danger", "warning")


class SaasDashboard(models.AbstractModel):
    """What needs somebody now; it reads what others recorded and stores nothing."""

    _name = "saas.dashboard"
    _description = "Needs Attention"

    @api.model
    def get_data(self):
        """Return what needs somebody now, and how many tenants are in which state."""
        if not self.env.user.has_group("saas.group_viewer"):
            raise AccessError(self.env._("Only SaaS staff may see this."))
        items = sorted(self._find_items(), key=lambda item: item["date"], reverse=True)
        return {
            "items": sorted(items, key=lambda item: LEVELS.index(item["level"])),
            "states": self._count_states(),
            "servers": self.env["saas.server"].search_count([]),
            "under_way": self.env["saas.operation"].search_count(
                [("state", "in", UNFINISHED)]
            ),
        }

    @api.model
    def _find_items(self):
        """Return all that needs somebody, each made by ``_make_item``.

        Addons that know more override it and add theirs. The number of queries must
        not grow with the number of records.
        """
        return [
            *self._find_tenants(),
            *self._find_templates(),
            *self._find_slow_operations(),
            *self._find_waiting_operations(),
            *self._find_servers(),
            *self._find_broken_connections(),
            *self._find_certificates(),
        ]

    @api.model
    def _make_item(self, record, *, label, message, level, date=False, mend=None):
        """Return one line of the dashboard.

        :param record: whom it is about, and what its button opens
        :param str label: what it is, in one or two words
        :param str message: what happened, in one sentence
        :param str level: ``danger`` or ``warning``
        :param date: since when
        :param tuple mend: label, record and name of the public method that mends it
        """
        item = {
            "key": f"{record._name},{record.id},{label}",
            "subject": record.display_name,
            "label": label,
            "message": message,
            "level": level,
            "date": fields.Datetime.to_string(date) or "",
            "model": record._name,
            "res_id": record.id,
            "domain": False,
            "mend": False,
        }
        if mend:
            title, target, method = mend
            item["mend"] = {
                "label": title,
                "model": target._name,
                "ids": target.ids,
                "method": method,
            }
        return item

    @api.model
    def _make_list_item(
        self, domain, *, model, subject, label, message, level="warning", date=False
    ):
        """Return a line that stands for many records and opens their list."""
        return {
            "key": f"{model},{label}",
            "subject": subject,
            "label": label,
            "message": message,
            "level": level,
            "date": fields.Datetime.to_string(date) or "",
            "model": model,
            "res_id": False,
            "domain": list(Domain(domain)),
            "mend": False,
        }

    @api.model
    def _may_run(self):
        return self.env.user.has_group("saas.group_operator")

    @api.model
    def _may_set_up(self):
        return self.env.user.has_group("saas.group_manager")

    @api.model
    def _get_labels(self, model, field):
        return dict(self.env[model]._fields[field]._description_selection(self.env))

    # === TENANTS === #

    @api.model
    def _find_tenants(self):
        domain = [("troubled", "=", True)]
        tenants = self.env["saas.tenant"].search(
            domain, order="last_operation_id desc", limit=ITEMS_OF_A_SORT
        )
        items = [self._make_tenant_item(tenant) for tenant in tenants]
        if len(tenants) == ITEMS_OF_A_SORT:
            total = self.env["saas.tenant"].search_count(domain)
            items += self._make_rest(domain, "saas.tenant", total)
        return items

    @api.model
    def _make_rest(self, domain, model, total, label=None):
        """Return a line for those that are too many, if there are.

        :param str label: what they have in common, where a model has several sorts
        """
        rest = total - ITEMS_OF_A_SORT
        if rest <= 0:
            return []
        return [
            self._make_list_item(
                domain,
                model=model,
                subject=self.env[model]._description,
                label=label or self.env._("More"),
                message=self.env._("One more is not shown here.")
                if rest == 1
                else self.env._("%s more are not shown here.", rest),
            )
        ]

    @api.model
    def _make_tenant_item(self, tenant):
        operation = tenant.last_operation_id
        if operation.state in TROUBLED:
            return self._make_failure(tenant, operation, self._may_run())
        if operation.state in UNFINISHED:
            return self._make_struggle(tenant, operation)
        return self._make_item(
            tenant,
            label=self.env._("Does not run"),
            message=tenant.state_message,
            level="danger",
            date=tenant.write_date,
            mend=(self.env._("Start"), tenant, "action_start")
            if self._may_run()
            else None,
        )

    @api.model
    def _make_failure(self, record, operation, may_retry):
        kind = self._get_labels("saas.operation", "kind")[operation.kind]
        state = self._get_labels("saas.operation", "state")[operation.state]
        return self._make_item(
            record,
            label=self.env._("%(kind)s: %(state)s", kind=kind, state=state.lower()),
            message=operation.message or self.env._("It left no message."),
            level="danger",
            date=operation.date_done or operation.create_date,
            mend=(self.env._("Try Again"), operation, "action_retry")
            if may_retry
            else None,
        )

    @api.model
    def _make_struggle(self, record, operation):
        kind = self._get_labels("saas.operation", "kind")[operation.kind]
        return self._make_item(
            record,
            label=self.env._("%s: tried again and again", kind),
            message=operation.message or self.env._("It left no message."),
            level="warning",
            date=operation.create_date,
        )

    # === OPERATIONS === #

    @api.model
    def _find_templates(self):
        """Return the templates whose last build failed."""
        Operation = self.env["saas.operation"]
        latest = Operation._read_group(
            [("kind", "=", "build")], ["template_id"], ["id:max"]
        )
        builds = Operation.browse(operation_id for _template, operation_id in latest)
        return [
            self._make_failure(build.template_id, build, self._may_set_up())
            for build in builds
            if build.state in TROUBLED and build.template_id.state != "ready"
        ]

    @api.model
    def _find_slow_operations(self):
        """Return what runs for too long, unless its tenant stands there already."""
        begun = fields.Datetime.now() - SLOW
        domain = (
            Domain("state", "in", UNFINISHED)
            & (
                Domain("state", "=", "running") & Domain("date_start", "<=", begun)
                | Domain("attempts", ">=", TROUBLED_ATTEMPTS)
            )
            & Domain("tenant_id.troubled", "!=", True)
        )
        operations = self.env["saas.operation"].search(domain, limit=ITEMS_OF_A_SORT)
        items = [self._make_slow_item(operation) for operation in operations]
        if len(operations) == ITEMS_OF_A_SORT:
            total = operations.search_count(domain)
            items += self._make_rest(domain, "saas.operation", total)
        return items

    @api.model
    def _make_slow_item(self, operation):
        steps = operation.step_ids.filtered(lambda step: step.state != "done")
        return self._make_item(
            operation,
            label=self.env._("Takes long"),
            message=operation.message
            or self.env._("It has been busy with “%s” for too long.", steps[:1].label),
            level="warning",
            date=operation.date_start or operation.create_date,
        )

    @api.model
    def _find_waiting_operations(self):
        """Return one line for all that should have begun: a worker that is down."""
        domain = [
            ("state", "=", "pending"),
            ("date_next", "<=", fields.Datetime.now() - SLOW),
        ]
        [[count, since]] = self.env["saas.operation"]._read_group(
            domain, [], ["__count", "date_next:min"]
        )
        if not count:
            return []
        return [
            self._make_list_item(
                domain,
                model="saas.operation",
                subject=self.env._("Operations"),
                label=self.env._("Waiting"),
                message=self.env._(
                    "One operation should have begun and waits. Look whether the "
                    "worker runs."
                )
                if count == 1
                else self.env._(
                    "%s operations should have begun and wait. Look whether the "
                    "worker runs.",
                    count,
                ),
                date=since,
            )
        ]

    # === SERVERS === #

    @api.model
    def _find_servers(self):
        servers = self.env["saas.server"].search([])
        percent = servers._get_full_percent()
        full = servers.filtered(
            lambda server: (
                not server.draining
                and server.tenant_count * 100 >= server.max_tenants * percent
            )
        )
        items = [self._make_full_item(server) for server in full]
        for server in servers:
            if server.memory_percent >= percent:
                items.append(self._make_memory_item(server))
            if server.disk_percent >= percent:
                items.append(self._make_disk_item(server))
        for server in servers.filtered("orphan_ids"):
            items.append(
                self._make_item(
                    server,
                    label=self.env._("Orphans"),
                    message=self.env._(
                        "These carry our mark and belong to no tenant: %s.",
                        "; ".join(server.orphans.splitlines()),
                    ),
                    level="warning",
                    date=server.orphan_ids[0].date,
                )
            )
        return items

    @api.model
    def _make_full_item(self, server):
        return self._make_item(
            server,
            label=self.env._("Nearly full"),
            message=self.env._(
                "%(count)s of its %(room)s places are taken. Add a server, or raise "
                "its room.",
                count=server.tenant_count,
                room=server.max_tenants,
            ),
            level="danger" if server.tenant_count >= server.max_tenants else "warning",
        )

    @api.model
    def _make_memory_item(self, server):
        return self._make_item(
            server,
            label=self.env._("Little memory"),
            message=self.env._(
                "%(free)s of its %(total)s GiB of memory are free. Give it more, or "
                "let it drain and add a server.",
                free=self._format_size(server.memory_free),
                total=self._format_size(server.memory),
            ),
            level=self._get_level(server.memory_percent),
            date=server.date_measured,
        )

    @api.model
    def _make_disk_item(self, server):
        return self._make_item(
            server,
            label=self.env._("Little disk"),
            message=self.env._(
                "%(free)s of its %(total)s GiB of disk are free. Give it more, or "
                "remove images and tenants that nobody needs.",
                free=self._format_size(server.disk_free),
                total=self._format_size(server.disk),
            ),
            level=self._get_level(server.disk_percent),
            date=server.date_measured,
        )

    @api.model
    def _get_level(self, percent):
        return "danger" if percent >= BRIM_PERCENT else "warning"

    @api.model
    def _format_size(self, size):
        return formatLang(self.env, size, digits=1)

    @api.model
    def _get_checked_models(self):
        """Return the models of what can be asked whether it works."""
        return ("saas.server", "saas.proxy", "saas.database.server")

    @api.model
    def _find_broken_connections(self):
        return [
            self._make_item(
                record,
                label=self.env._("Does not work"),
                message=record.check_message or self.env._("Its last test failed."),
                level="danger",
                date=record.check_date,
                mend=(self.env._("Test Again"), record, "action_check")
                if self._may_set_up()
                else None,
            )
            for model in self._get_checked_models()
            for record in self.env[model].search([("check_state", "=", "failed")])
        ]

    # === CERTIFICATES === #

    @api.model
    def _find_certificates(self):
        """Return whose visitors get no good certificate, now or before long."""
        domain = [("certificate_state", "in", ("expiring", "failed"))]
        items = []
        for model in ("saas.proxy", "saas.domain"):
            found = self.env[model].search(domain, limit=ITEMS_OF_A_SORT)
            items += [self._make_certificate_item(record) for record in found]
            if len(found) == ITEMS_OF_A_SORT:
                total = found.search_count(domain)
                label = self.env._("Certificate")
                items += self._make_rest(domain, model, total, label)
        return items

    @api.model
    def _make_certificate_item(self, record):
        failed = record.certificate_state == "failed"
        return self._make_item(
            record,
            label=self.env._("Certificate"),
            message=record.certificate_message,
            level="danger" if failed else "warning",
            date=record.certificate_date,
        )

    # === TILES === #

    @api.model
    def _count_states(self):
        counts = dict(
            self.env["saas.tenant"]._read_group(
                [("state", "!=", "deleted")], ["state"], ["__count"]
            )
        )
        labels = self._get_labels("saas.tenant", "state")
        return [
            {"state": state, "label": labels[state], "count": counts.get(state, 0)}
            for state in STATES_BY_URGENCY
            if counts.get(state) or state == "running"
        ]
