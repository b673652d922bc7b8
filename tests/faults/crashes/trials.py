"""One kill after the other, and what becomes of each."""

from __future__ import annotations

import dataclasses
import re
import traceback

from odoo.addons.saas.const import KINDS

LIMIT = 90  # seconds to become as it should be
UID = re.compile(r"t[0-9a-f]{12}|tpl[0-9a-f]{10}")


@dataclasses.dataclass(frozen=True)
class Trace:
    """A kind's fail points and what it comes to without a kill, or why it does not."""

    kind: str
    points: tuple[str, ...] = ()
    end: dict | None = None
    failure: str = ""


class Trials:
    def __init__(self, kinds) -> None:
        self.kinds = kinds
        self.master = kinds.master
        self._orphans = set()  # those that were told of already

    def trace(self, kind):
        """What there is to be killed."""
        try:
            return self._trace(kind)
        except Exception as error:  # noqa: BLE001 (whatever it is, others are tried)
            return Trace(kind, failure=self._give_up(error))

    def try_at(self, trace, point):
        """What came of a kill there."""
        try:
            return {"seconds": self._kill_at(trace, point)}
        except Exception as error:  # noqa: BLE001 (whatever it is, others are tried)
            return {"failure": self._give_up(error)}

    def _give_up(self, error):
        traceback.print_exc()
        self.master.give_up()
        return f"{type(error).__name__}: {error}"

    def _trace(self, kind):
        tenant, operation, since = self._ask(kind)
        passed = self.master.trace(LIMIT)
        end = self._describe(operation, since)
        assert end["operation"] == "done", self._explain(operation)
        self._check_nothing_is_amiss(operation)
        self.kinds.give_back(tenant)
        own = f"{self._find_uid(operation)}.{kind}."
        points = tuple(n.removeprefix(own) for n in passed if n.startswith(own))
        for step in KINDS[kind].steps:
            assert f"{step}.after" in points, f"{kind} did not come to {step}"
        return Trace(kind, points, end)

    def _kill_at(self, trace, point):
        """The seconds until all has become the same as without that."""
        tenant, operation, since = self._ask(trace.kind)
        self.master.die_at(f"{self._find_uid(operation)}.{trace.kind}.{point}", LIMIT)
        seconds = self.master.settle(LIMIT)
        found = self._describe(operation, since)
        assert found == trace.end, _compare(found, trace.end)
        self._check_nothing_is_amiss(operation)
        self.kinds.give_back(tenant)
        return seconds

    def _ask(self, kind):
        tenant = self.kinds.bring(kind)
        since = self._find_last()
        return tenant, self.kinds.ask(kind, tenant), since

    def _find_last(self):
        """What there is already of what operations make."""
        models = ("saas.operation", "saas.backup", "saas.drill")
        with self.master.transaction() as env:
            return {
                model: env[model].search([], order="id desc", limit=1).id or 0
                for model in models
            }

    def _find_uid(self, operation):
        with self.master.transaction() as env:
            found = env["saas.operation"].browse(operation)
            return (found.tenant_id or found.template_id).uid

    def _explain(self, operation):
        with self.master.transaction() as env:
            found = env["saas.operation"].browse(operation)
            return f"{found.display_name} is {found.state}: {found.message}"

    # === WHAT BECAME OF IT === #

    def _describe(self, operation, since):
        """All that there is of an operation's subject, in words that fit every run."""
        with self.master.transaction() as env:
            operation = env["saas.operation"].browse(operation)
            tenant, template = operation.tenant_id, operation.template_id
            drills = env["saas.drill"].search([("id", ">", since["saas.drill"])])
            words = {
                tenant.source_backup_id.tenant_id.uid: "source",
                **dict.fromkeys(drills.mapped("uid"), "drill"),
                (tenant or template).uid: "own",
            }
            things = self.master.world.describe(set(words) - {False})
            return {
                "operation": operation.state,
                "operations": self._describe_operations(env, operation, since),
                "subject": _describe_subject(tenant, template),
                "drills": sorted(f"{d.state} {d.removed}" for d in drills),
                "copies": self._describe_copies(env, tenant, since),
                "things": sorted(
                    UID.sub(lambda uid: words.get(uid[0], "other"), " ".join(thing))
                    for thing in things
                ),
            }

    def _describe_operations(self, env, operation, since):
        subject = operation._get_subject()
        both = [
            ("id", ">", since["saas.operation"]),
            ("tenant_id", "=", operation.tenant_id.id),
            ("template_id", "=", operation.template_id.id),
        ]
        found = env["saas.operation"].search(both)
        for one in found:
            assert one.state in ("done", "cancelled") or one.message, subject
        return sorted(f"{one.kind} {one.state}" for one in found)

    def _describe_copies(self, env, tenant, since):
        made = env["saas.backup"].search(
            [("id", ">", since["saas.backup"]), ("tenant_id", "=", tenant.id)]
        )
        lie = [b for b in tenant.backup_ids if b.state in ("done", "deleting")]
        return [
            *sorted(f"{b.reason} {b.state} {b.drill_state}" for b in made),
            f"in the store as known: {self._count_copies(tenant) == len(lie)}",
        ]

    def _count_copies(self, tenant):
        return self.master.world.count_copies(tenant.uid)

    def _check_nothing_is_amiss(self, operation):
        """The master itself finds no orphan, and nothing of its subject to mend."""
        with self.master.transaction() as env:
            tenant = env["saas.operation"].browse(operation).tenant_id
            last = env["saas.operation"].search([], limit=1)
            server = env["saas.server"].search([])
            server._cron_resync()
            assert server.check_state == "ok", server.check_message
            orphans = set((server.orphans or "").splitlines()) - self._orphans
            mending = env["saas.operation"].search([("id", ">", last.id)])
            said = mending.filtered(lambda o: o.tenant_id == tenant).mapped("kind")
            env.cr.rollback()
        self._orphans |= orphans
        assert not orphans, f"orphans: {orphans}"
        assert not said, f"to be mended: {said}"


def _describe_subject(tenant, template):
    if template:
        return template.state
    return {
        "state": tenant.state,
        "observed": tenant.observed,
        "placed": tenant.slot >= 0,
        "key": bool(tenant.data_key_sealed),
        "names": len(tenant.domain_ids.filtered(lambda d: not d.released_on)),
        "certificates": len(tenant.erasure_ids),
    }


def _compare(found, end):
    return "; ".join(
        f"{name} is {found[name]} and not {end[name]}"
        for name in end
        if found[name] != end[name]
    )
