from odoo import fields, models
from odoo.exceptions import AccessError

from ..const import TROUBLED

PAGE = 30


class SaasTenant(models.Model):
    """What happened to a tenant, told from what operations, holds and chatter have."""

    _inherit = "saas.tenant"

    def get_timeline(self, limit=PAGE):
        """Return what happened to the tenant, the newest first.

        :param int limit: how many entries
        """
        self.ensure_one()
        self.check_access("read")
        if not self.env.user.has_group("saas.group_viewer"):
            raise AccessError(self.env._("Only SaaS staff may see this."))
        entries = [
            *self._tell_operations(limit + 1),
            *self._tell_holds(),
            *self._tell_changes(limit + 1),
        ]
        entries.sort(key=lambda entry: entry["date"], reverse=True)
        return {"entries": entries[:limit], "more": len(entries) > limit}

    def _make_entry(self, record, moment, title, **details):
        """Return one entry; the same shape for all sorts."""
        return {
            "key": f"{record._name},{record.id},{details.get('icon')}",
            "date": fields.Datetime.to_string(moment),
            "title": title,
            "who": False,
            "state": False,
            "message": False,
            "seconds": 0,
            "steps": [],
            **details,
        }

    def _tell_operations(self, limit):
        operations = self.env["saas.operation"].search(
            [("tenant_id", "=", self.id)], limit=limit
        )
        get_labels = self.env["saas.dashboard"]._get_labels
        kinds = get_labels("saas.operation", "kind")
        states = get_labels("saas.operation", "state")
        origins = get_labels("saas.operation", "origin")
        return [
            self._make_entry(
                operation,
                operation.create_date,
                kinds[operation.kind],
                icon="operation",
                who=origins[operation.origin]
                if operation.origin == "schedule"
                else f"{operation.user_id.name} ({origins[operation.origin]})",
                state=operation.state,
                state_label=states[operation.state],
                troubled=operation.state in TROUBLED,
                message=operation.message,
                seconds=operation.duration,
                steps=[
                    {
                        "id": step.id,
                        "label": step.label,
                        "state": step.state,
                        "state_label": states[step.state],
                        "seconds": step.duration,
                        "message": step.message,
                    }
                    for step in operation.step_ids
                ],
                operation_id=operation.id,
            )
            for operation in operations
        ]

    def _tell_holds(self):
        holds = self.env["saas.hold"].with_context(active_test=False)
        holds = holds.search([("tenant_id", "=", self.id)])
        kinds = self.env["saas.dashboard"]._get_labels("saas.hold", "kind")
        entries = [
            self._make_entry(
                hold,
                hold.create_date,
                self.env._("Hold set: %s", kinds[hold.kind]),
                icon="hold",
                who=hold.create_uid.name,
                message=hold.reason,
            )
            for hold in holds
        ]
        return entries + [
            self._make_entry(
                hold,
                hold.lifted_on,
                self.env._("Hold lifted: %s", kinds[hold.kind]),
                icon="lifted",
                who=hold.write_uid.name,
                message=hold.reason,
            )
            for hold in holds.filtered("lifted_on")
        ]

    def _tell_changes(self, limit):
        """Tell what the chatter tracked of fields that the user may read."""
        values = self.env["mail.tracking.value"].sudo()
        values = values.search(
            [
                ("mail_message_id.model", "=", self._name),
                ("mail_message_id.res_id", "=", self.id),
            ],
            order="id desc",
            limit=limit,
        )._filter_has_field_access(self.env)
        told = {
            value["id"]: value
            for value in values._tracking_value_format_model(self._name)
        }
        return [
            self._make_entry(
                value,
                value.create_date,
                self.env._(
                    "%(field)s: %(old)s → %(new)s",
                    field=told[value.id]["fieldInfo"]["changedField"],
                    old=self._tell_value(told[value.id]["oldValue"]),
                    new=self._tell_value(told[value.id]["newValue"]),
                ),
                icon="change",
                who=value.create_uid.name,
            )
            for value in values
        ]

    def _tell_value(self, value):
        if isinstance(value, bool):
            return self.env._("yes") if value else self.env._("no")
        return value or self.env._("nothing")
