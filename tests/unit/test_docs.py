"""The documentation says what the code does: what can be compared is compared."""

from __future__ import annotations

import ast
import copy
import pathlib
import re
import runpy
import textwrap

import failures
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MODELS = ROOT / "addons" / "saas" / "models"
DIAGRAM = runpy.run_path(str(DOCS / "state_diagram.py"))
HOW_TO = sorted((DOCS / "how-to").glob("*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "docker" / "README.md",
    *DOCS.glob("*.md"),
    *DOCS.glob("explanation/*.md"),
    *HOW_TO,
]

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
        ("Other models", "saas_orphan.py"),
        ("Other models", "saas_event.py"),
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


SUBSCRIPTION_MODELS = ROOT / "addons" / "saas_subscription" / "models"
SUBSCRIPTION_FILES = (
    "account_move.py",
    "account_move_line.py",
    "payment_transaction.py",
    "product_attribute_value.py",
    "product_product.py",
    "product_template.py",
    "saas_close_reason.py",
    "saas_dunning.py",
    "saas_dunning_case.py",
    "saas_mrr_movement.py",
    "saas_plan.py",
    "saas_revenue.py",
    "saas_subscription.py",
    "saas_subscription_change.py",
    "saas_subscription_dunning.py",
    "saas_subscription_end.py",
    "saas_subscription_line.py",
    "saas_subscription_mrr.py",
    "saas_subscription_period.py",
    "saas_subscription_price.py",
    "saas_subscription_trial.py",
    "saas_tenant.py",
    "sale_order.py",
    "sale_order_line.py",
)


@pytest.mark.parametrize("file", SUBSCRIPTION_FILES)
def test_all_of_a_subscription_is_documented(file):
    fields, methods = model_members(file, SUBSCRIPTION_MODELS)
    named = code_words(section("Subscriptions (`saas_subscription`)"))
    assert fields | methods - {"button_cancel"} <= named


def test_the_states_and_kinds_of_a_subscription_are_documented():
    const = runpy.run_path(str(SUBSCRIPTION_MODELS.parent / "const.py"))
    text = section("Subscriptions (`saas_subscription`)")
    for table in ("STATES", "PRODUCT_KINDS", "BILLING_OWNERS", "CHANGE_STATES"):
        for word in const[table]:
            assert f"`{word}`" in text, word


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


# === HOW TO === #


def find_rows():
    """The first cell, its code words and the last cell of the rows at 3 a.m."""
    for row in re.findall(
        r"^\| (.*) \|$", read("docs/how-to/at-3-am.md"), re.MULTILINE
    ):
        first, *_cells, last = row.split(" | ")
        words = re.search(r"((?:, |\s)`[a-z_]+`)+$", first)
        yield first, set(re.findall("`([a-z_]+)`", words[0] if words else "")), last


def test_the_code_of_the_addons_has_failures_to_tell():
    found = {(word, sentence) for word, sentence, _file in failures.find_failures()}
    assert ("no_room", "The server … has no room left.") in found
    assert (
        "unexpected",
        "An unexpected error (…) stopped it. The job queue has the details.",
    ) in found
    assert ("disk_full", "has no disk space left") in found
    assert ("boot", "Odoo ended with code ….") in found
    assert ("merge_failed", "The restored files could not be added.") in found
    assert ("", "Only SaaS managers may delete tenants.") in found


def test_the_operator_at_3_am_finds_every_failure():
    rows = list(find_rows())
    missing = [
        f"{file}: {sentence or 'its own sentence'} `{word}`"
        for word, sentence, file in failures.find_failures()
        if (word or failures.get_core(sentence))
        and not any(
            failures.get_core(sentence) in first and (not word or word in words)
            for first, words, _last in rows
        )
    ]
    assert not missing, (
        "docs/how-to/at-3-am.md lacks rows. Add each to the table of where it comes "
        "from, as: | SENTENCE `word` | what to do now | because | again, you or wait |"
        " (without a word: | SENTENCE | what to do now | in the last table)\n"
        + "\n".join(missing)
    )


def test_the_operator_at_3_am_finds_no_failure_that_is_gone():
    known = {word for word, _sentence, _file in failures.find_failures()}
    gone = {word for _first, words, _last in find_rows() for word in words - known}
    assert not gone, (
        "docs/how-to/at-3-am.md: no code gives these any more; remove their rows"
    )


def test_the_operator_at_3_am_reads_who_mends_each_failure():
    for first, words, last in find_rows():
        assert not words or last in ("again", "you", "wait"), first


def find_backup_kinds():
    tree = ast.parse(read("addons/saas_backup/const.py"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "BACKUP_KINDS":
            return {key.value for key in node.value.keys}
    raise AssertionError("BACKUP_KINDS has another name")


def test_every_kind_of_operation_has_its_how_to(tables):
    page = read("docs/how-to/operations.md")
    kinds = set(tables["KINDS"]) | find_backup_kinds()
    missing = {kind for kind in kinds if f"`{kind}`" not in page}
    assert not missing, (
        "docs/how-to/operations.md: add these to the first table, with a chapter on "
        "when, what the customer notices, how staff and how a program asks; or to the "
        "last table, where only the master asks"
    )


def test_every_action_has_its_how_to():
    page = read("docs/how-to/operations.md")
    actions = set()
    for folder in (MODELS, BACKUP_MODELS):
        for path in folder.glob("saas_*.py"):
            if not path.name.startswith("saas_setup"):
                actions |= model_members(path.name, folder)[1]
    asked = {name for name in actions if name.startswith("action_")}
    assert len(asked) > 20
    missing = {name for name in asked if not re.search(rf"\b{name}\b", page)}
    assert not missing, (
        "docs/how-to/operations.md: add these to the chapter of what they do, under "
        "“Program”"
    )


def make_anchor(heading):
    """What a heading is called in links, as hosts of repositories make it."""
    text = re.sub(r"[^\w\s-]", "", heading.strip().lower())
    return re.sub(r"\s", "-", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_heading(page):
    for target, anchor in re.findall(
        r"\]\(([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8")
    ):
        if "://" in target:
            continue
        text = ((page.parent / target) if target else page).read_text(encoding="utf-8")
        headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        assert anchor in {make_anchor(heading) for heading in headings}, (
            f"{target}#{anchor}"
        )


def test_every_program_in_the_how_to_can_be_read_by_python():
    for page in HOW_TO:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^\n((?:(?: {4,}.*)?\n)+)", text, re.MULTILINE):
            if "call(" in block or "model" in block:
                compile(textwrap.dedent(block), page.name, "exec")


# === OPERATING === #


def test_every_setting_that_the_pages_name_exists():
    known = set(re.findall(r"\bSAAS_[A-Z_]+\b", read("docker/compose.yaml")))
    known |= set(re.findall(r"\bSAAS_[A-Z_]+\b", read("docker/stack/settings.py")))
    programs = [
        *(DOCS / "examples").glob("*.py"),
        ROOT / "docker" / "stack" / "testing.py",
        ROOT / "tests" / "bench" / "__main__.py",
        ROOT / "tests" / "faults" / "test_t01_crash_points_docker.py",
        ROOT / "tests" / "faults" / "test_master_is_down.py",
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
