from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stack import compose, rpc, settings, tenant
from stack import master as master_database
from stack.demo import add_tenant, have_tenant
from stack.shell import StackError


class FakeMaster:
    """Answers like the external API; provisioning ends as it is told to."""

    def __init__(self, outcome: str = "done", **tenants: str) -> None:
        self.outcome = outcome
        self.tenants = dict(tenants)
        self.called: list[str] = []

    def search(self, model: str, domain: list, **_kwargs: Any) -> list[int]:
        if model == "saas.tenant":
            return [1] if domain[0][2] in self.tenants else []
        return [7] if model == "saas.plan" and not domain else []

    def read(self, model: str, _record: int, *_fields: str) -> dict[str, Any]:
        if model == "saas.tenant":
            return {"state": next(iter(self.tenants.values()))}
        message = "The image is missing." if self.outcome != "done" else False
        return {
            "state": self.outcome,
            "message": message,
            "step_ids": [],
            "kind": "provision",
        }

    def create(self, model: str, **_values: Any) -> int:
        self.called.append(f"create {model}")
        return 1

    def execute(self, _model: str, method: str, *_args: Any, **_kwargs: Any) -> Any:
        self.called.append(method)
        return [{"name": "Basic"}] if method == "search_read" else [5]


def _ignore(_text: str) -> None:
    pass


def _settings(**values: str) -> settings.Settings:
    return settings.Settings(Path("/clone"), {**settings.DEFAULTS, **values})


def test_without_a_mailbox_a_missing_tenant_is_made_by_the_api_with_its_customer():
    master = FakeMaster()
    have_tenant(_settings(SAAS_MAILBOX="no"), master, "alfa", _ignore)
    assert master.called == [
        "create res.partner",
        "create saas.tenant",
        "action_provision",
    ]


def test_a_name_that_is_refused_leaves_no_customer_behind():
    class Refusing(FakeMaster):
        def create(self, model: str, **values: Any) -> int:
            if model == "saas.tenant":
                raise StackError("The name is reserved.")
            return super().create(model, **values)

    master = Refusing()
    with pytest.raises(StackError, match="reserved"):
        tenant.create(master, "www", "", _ignore)
    assert master.called == ["create res.partner", "unlink"]


@pytest.mark.parametrize(
    ("state", "called"),
    [
        ("running", []),
        ("stopped", ["action_start"]),
        ("suspended", ["action_resume"]),
        ("failed", ["action_provision"]),
    ],
)
def test_a_tenant_that_is_there_is_brought_to_run_and_never_doubled(state, called):
    master = FakeMaster(alfa=state)
    have_tenant(_settings(), master, "alfa", _ignore)
    assert master.called == called


@pytest.mark.parametrize(
    ("outcome", "line"),
    [("done", "1 built"), ("refused", "0 built; The image is missing.")],
)
def test_a_template_that_cannot_be_built_stands_in_nobodys_way(outcome, line):
    class Templates(FakeMaster):
        def search(self, model: str, domain: list, **kwargs: Any) -> list[int]:
            return [3] if model == "saas.template" else super().search(model, domain)

        def execute(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
            found = super().execute(model, method, *args, **kwargs)
            return [{"image_id": [1, "x"]}] if method == "search_read" else found

    def follow(master: FakeMaster, operation: int) -> None:
        tenant.follow(master, operation, _ignore)

    assert master_database.build_templates(Templates(outcome), follow) == line


def test_an_operation_that_was_refused_says_why():
    with pytest.raises(StackError, match=r"^The image is missing\.$"):
        tenant.follow(FakeMaster("refused"), 5, _ignore)


def test_an_unknown_plan_is_refused_with_the_known_ones():
    with pytest.raises(StackError, match=r"no plan 'gold': the plans are Basic\."):
        tenant.find_plan(FakeMaster(), "gold")


def test_a_name_that_is_taken_is_refused(monkeypatch):
    monkeypatch.setattr(
        "stack.demo.Master", lambda _settings: FakeMaster(beta="running")
    )
    with pytest.raises(StackError, match="There is a tenant beta already"):
        add_tenant(None, "beta", "", _ignore)


def test_a_page_counts_as_logged_in_only_with_a_user():
    assert tenant.is_logged_in(200, '{"uid": 2, "name": "x"}')
    assert not tenant.is_logged_in(200, '{"uid": null}')
    assert not tenant.is_logged_in(200, "<h1>Log in</h1>")
    assert not tenant.is_logged_in(500, '{"uid": 2}')


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("The name is taken.", "The name is taken."),
        ("Traceback (most recent call last):\n  x\nValueError: no such", "no such"),
        ("", "The master failed without a word: see make logs."),
    ],
)
def test_a_fault_is_told_in_one_sentence(fault, sentence):
    assert rpc.fault_sentence(fault) == sentence


def _inspected(service: str, **state: Any) -> dict[str, Any]:
    labels = {"com.docker.compose.service": service}
    return {"Config": {"Labels": labels}, "State": state}


def test_one_that_ended_well_is_no_reason_to_wait():
    found = dict(
        map(
            compose.container_health,
            [
                _inspected("keys", Status="exited", ExitCode=0),
                _inspected("db", Status="running", Health={"Status": "healthy"}),
                _inspected("web", Status="running", Health={"Status": "starting"}),
                _inspected("worker", Status="exited", ExitCode=1),
            ],
        )
    )
    assert compose.unready(found) == {"web": "starting", "worker": "failed"}
