"""The documentation says what the code does: what can be compared is compared."""

from __future__ import annotations

import ast
import copy
import pathlib
import re
import runpy

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MODELS = ROOT / "addons" / "saas" / "models"
DIAGRAM = runpy.run_path(str(DOCS / "state_diagram.py"))
PAGES = [ROOT / "README.md", ROOT / "docker" / "README.md", *DOCS.glob("*.md")]

# Not for programs outside: a button's own answer, and what only the system sees.
HIDDEN = {
    "backup_key_sealed",
    "action_login",
    "action_view_backups",
    "action_view_tenants",
    "action_view_troubled",
    "data_key_sealed",
    "last_event",
    "password_sealed",
    "recovery_key_sealed",
    "same_as_id",
    "secret_key_sealed",
}
OVERRIDDEN = {"create", "write", "unlink"}
ADDED_BY_MIXIN = {"check_state", "check_message", "check_date"}


@pytest.fixture
def tables():
    return copy.copy(runpy.run_path(str(DIAGRAM["TABLES"])))


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def section(title):
    """The text of one chapter of the API's document."""
    found = re.search(
        rf"^## `?{re.escape(title)}`?\n(.*?)(?=^## |\Z)",
        read("docs/api.md"),
        re.DOTALL | re.MULTILINE,
    )
    return found[1]


def code_words(text):
    return set(re.findall(r"`([a-z_]+)(?:\([^`]*\))?`", text))


def is_field(value):
    return ast.unparse(value).startswith("fields.")


def model_members(file, folder=MODELS):
    """The fields and the public methods of the models in a file."""
    tree = ast.parse((folder / file).read_text(encoding="utf-8"))
    fields, methods = set(), set()
    for node in (node for model in tree.body for node in getattr(model, "body", ())):
        if isinstance(node, ast.FunctionDef):
            methods.add(node.name)
        elif isinstance(node, ast.Assign) and is_field(node.value):
            fields.add(node.targets[0].id)
    hidden = HIDDEN | OVERRIDDEN
    public = {name for name in fields | methods if not name.startswith("_")} - hidden
    return fields & public, methods & public


# === THE STATES === #


def test_the_page_of_states_is_what_the_tables_say(tables):
    assert read("docs/states.md") == DIAGRAM["make_document"](tables), (
        "run: python3 docs/state_diagram.py > docs/states.md"
    )


def test_another_table_makes_another_diagram(tables):
    before = DIAGRAM["make_document"](tables)
    tables["TRANSITIONS"] = tables["TRANSITIONS"] | {
        "stop": (("suspended",), "stopped")
    }
    after = DIAGRAM["make_document"](tables)
    assert "suspended --> stopped : stop" in after
    assert "suspended --> stopped : stop" not in before


def test_every_state_and_every_kind_is_on_the_page(tables):
    page = read("docs/states.md")
    for state in tables["TENANT_STATES"]:
        assert re.search(rf"^\| {state} \|", page, re.MULTILINE), state
        assert re.search(rf"(--> {state}|{state} -->)", page), state
    for kind in tables["KINDS"]:
        assert f"\n| {kind} | " in page, kind


# === THE API === #


def test_every_action_of_a_tenant_is_documented_and_no_other():
    _fields, methods = model_members("saas_tenant_actions.py")
    documented = {
        word
        for word in code_words(section("saas.tenant"))
        if word.startswith(("action_", "get_"))
    }
    assert documented == methods


def test_the_documented_states_are_those_of_the_tables(tables):
    text = section("saas.tenant")
    states = re.findall(r"^\| `([a-z]+)` \| (?!the customer)", text, re.MULTILINE)
    assert set(tables["TENANT_STATES"]) <= set(states)
    text = section("saas.operation")
    for word in (*tables["OPERATION_STATES"], *tables["KINDS"]):
        assert f"`{word}`" in text, word


@pytest.mark.parametrize(
    ("title", "file"),
    [
        ("saas.tenant", "saas_tenant.py"),
        ("saas.operation", "saas_operation.py"),
        ("saas.operation", "saas_operation_step.py"),
        ("saas.plan", "saas_plan.py"),
        ("Other models", "saas_image.py"),
        ("Other models", "saas_template.py"),
        ("Other models", "saas_domain.py"),
        ("Other models", "saas_hold.py"),
        ("Other models", "saas_region.py"),
        ("Other models", "saas_label.py"),
        ("Other models", "saas_server.py"),
        ("Other models", "saas_batch.py"),
        ("Other models", "saas_dashboard.py"),
        ("Other models", "saas_timeline.py"),
        ("Other models", "saas_proxy.py"),
        ("Other models", "saas_database_server.py"),
    ],
)
def test_every_field_and_method_of_a_model_is_documented(title, file):
    fields, methods = model_members(file)
    missing = (fields | methods) - code_words(section(title))
    assert not missing


BACKUP_MODELS = ROOT / "addons" / "saas_backup" / "models"


@pytest.mark.parametrize(
    "file",
    sorted(path.name for path in BACKUP_MODELS.glob("saas_*.py")),
)
def test_every_field_and_method_of_backups_is_documented(file):
    fields, methods = model_members(file, BACKUP_MODELS)
    named = code_words(section("Backups (`saas_backup`)"))
    assert not (fields | methods) - named


def test_every_documented_field_exists():
    known = set(ADDED_BY_MIXIN) | {"create_date"}
    for path in MODELS.glob("*.py"):
        fields, methods = model_members(path.name)
        known |= fields | methods
    for title in ("saas.tenant", "saas.operation", "saas.plan", "Other models"):
        rows = re.findall(r"^\| (`[a-z_`, or]+`) \|", section(title), re.MULTILINE)
        named = {word for row in rows for word in code_words(row)}
        states = code_words(section("saas.tenant")) & {
            *runpy.run_path(str(DIAGRAM["TABLES"]))["TENANT_STATES"]
        }
        assert named - states <= known, title


def test_the_allowed_states_of_each_action_are_those_of_the_tables(tables):
    rows = dict(
        re.findall(
            r"^\| `action_([a-z]+)\([^`]*\)` \| ([a-z, ]+) \|",
            section("saas.tenant"),
            re.MULTILINE,
        )
    )
    for kind, (sources, _target) in tables["TRANSITIONS"].items():
        if kind in rows and kind != "delete":
            assert sorted(rows[kind].split(", ")) == sorted(sources), kind


# === OPERATING === #


def test_every_setting_that_the_pages_name_exists():
    known = set(re.findall(r"\bSAAS_[A-Z_]+\b", read("docker/compose.yaml")))
    known |= set(re.findall(r"\bSAAS_[A-Z_]+\b", read("docker/stack/settings.py")))
    programs = [
        *(DOCS / "examples").glob("*.py"),
        ROOT / "docker" / "stack" / "testing.py",
        ROOT / "tests" / "bench" / "__main__.py",
        ROOT / "tests" / "e2e" / "test_crashes.py",
    ]
    for path in programs:
        known |= set(re.findall(r"\bSAAS_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    for page in PAGES:
        named = set(re.findall(r"\bSAAS_[A-Z_]+\b", page.read_text(encoding="utf-8")))
        assert named <= known, page


def test_the_defaults_in_the_table_of_settings_are_those_of_compose():
    compose = read("docker/compose.yaml")
    for names, values in re.findall(
        r"^\| (`SAAS_[^|]+) \| (`[^|]+) \|", read("docs/operating.md"), re.MULTILINE
    ):
        for name, value in zip(
            re.findall(r"`([^`]+)`", names),
            re.findall(r"`([^`]+)`", values),
            strict=True,
        ):
            assert f"{{{name}:-{value}}}" in compose, name


def test_every_volume_of_the_stack_is_in_the_table_of_backups():
    volumes = re.findall(
        r"^  ([a-z_]+): \{labels:", read("docker/compose.yaml"), re.MULTILINE
    )
    assert volumes
    for volume in volumes:
        assert f"`saas_{volume}`" in read("docs/operating.md"), volume


def test_every_make_target_that_the_pages_name_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", read("Makefile"), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"`make ([a-z0-9-]+)", page.read_text(encoding="utf-8"))
        assert set(named) <= targets, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_example_is_named_in_the_document_of_the_api():
    for path in (DOCS / "examples").glob("*.py"):
        assert f"examples/{path.name}" in read("docs/api.md"), path.name
        compile(path.read_text(encoding="utf-8"), path.name, "exec")
