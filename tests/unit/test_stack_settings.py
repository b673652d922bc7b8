from __future__ import annotations

import ipaddress
import stat
from pathlib import Path

import pytest

from stack import settings
from stack.master import setup_values, snapshot
from stack.settings import Settings
from stack.shell import StackError
from stack.testing import all_stacks


def _make(**values: str) -> Settings:
    return Settings(Path("/clone"), {**settings.DEFAULTS, **values})


def test_an_env_file_may_have_comments_quotes_and_exports():
    text = "# a comment\nA=1\nexport B = two words\nC='x=y'\nD=\"\"\nnothing\n"
    assert settings.parse_env(text) == {
        "A": "1",
        "B": "two words",
        "C": "x=y",
        "D": "",
    }


def test_the_first_run_makes_an_env_file_that_only_its_owner_reads(tmp_path):
    path = tmp_path / ".env"
    settings.ensure_env_file(path)
    values = settings.parse_env(path.read_text())
    assert len(values["SAAS_ADMIN_PASSWORD"]) == 24
    assert values["SAAS_HTTP_PORT"] == "8080"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_run_keeps_the_password_and_what_the_operator_wrote(tmp_path):
    path = tmp_path / ".env"
    path.write_text("SAAS_HTTP_PORT=9090\n")
    settings.ensure_env_file(path)
    first = path.read_text()
    settings.ensure_env_file(path)
    assert path.read_text() == first
    assert first.startswith("SAAS_HTTP_PORT=9090\nSAAS_ADMIN_PASSWORD=")


def test_the_environment_wins_over_the_env_file(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("SAAS_HTTP_PORT=9090\nSAAS_HOST=a.test\n")
    monkeypatch.setenv("SAAS_HTTP_PORT", "9191")
    loaded = settings.load(tmp_path)
    assert loaded.port == 9191
    assert loaded.host == "a.test"


def test_the_tests_have_a_stack_of_their_own_whatever_the_env_file_says(tmp_path):
    (tmp_path / ".env").write_text("SAAS_HTTP_PORT=9090\nODOO_DEB=/x.deb\n")
    loaded = settings.load_test(tmp_path)
    assert (loaded.stack, loaded.port) == ("saas-test", 18080)
    assert loaded["ODOO_DEB"] == "/x.deb"
    assert settings.load_test(tmp_path).admin_password == loaded.admin_password


def test_addresses_derive_from_the_subnets():
    made = _make()
    assert made.control_address(10) == "172.30.0.10"
    assert made.tenant_gateway == "172.28.0.1"
    assert made.tenant_dynamic_range == "172.28.8.0/21"


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("saas.example.com", "example.com"),
        ("example.com", "odoo.example.com"),
        ("odoo.example.com", "Odoo.example.com"),
    ],
)
def test_master_and_tenants_do_not_lie_within_one_another(host, domain):
    with pytest.raises(StackError, match="set cookies for the master"):
        settings.checked(_make(SAAS_HOST=host, SAAS_TENANT_DOMAIN=domain))


@pytest.mark.parametrize("domain", ["odoo.localhost", "my-saas.localhost"])
def test_master_and_tenants_may_lie_beside_one_another(domain):
    made = _make(SAAS_TENANT_DOMAIN=domain)
    assert settings.checked(made) is made


def test_port_80_is_not_part_of_the_address():
    assert _make(SAAS_HTTP_PORT="80").url == "http://saas.localhost"
    assert _make().url == "http://saas.localhost:8080"


def test_no_secret_reaches_compose():
    made = _make(SAAS_ADMIN_PASSWORD="hush")
    assert "hush" not in made.compose_values().values()


def test_what_the_env_file_says_beyond_the_defaults_reaches_compose():
    made = _make(SAAS_WEB_WORKERS="2")
    assert made.compose_values()["SAAS_WEB_WORKERS"] == "2"


def test_a_port_below_1024_makes_the_proxy_root():
    assert _make(SAAS_HTTP_PORT="80").compose_values()["SAAS_PROXY_USER"] == "0:0"
    assert "SAAS_PROXY_USER" not in _make().compose_values()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SAAS_HTTP_PORT", "http", "SAAS_HTTP_PORT is not a port (http)"),
        ("SAAS_HTTP_PORT", "70000", "SAAS_HTTP_PORT is not a port (70000)"),
        (
            "SAAS_TENANT_SUBNET",
            "172.28.0.0",
            "SAAS_TENANT_SUBNET is no network for a stack (172.28.0.0)",
        ),
        (
            "SAAS_CONTROL_SUBNET",
            "here",
            "SAAS_CONTROL_SUBNET is not an IPv4 network (here)",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(name, value, sentence):
    with pytest.raises(StackError) as caught:
        settings.checked(_make(**{name: value}))
    assert caught.value.message == f"{sentence}: correct it in .env."


@pytest.mark.parametrize("name", ["SAAS_FIRST_SERVER", "SAAS_MAILBOX"])
def test_what_is_neither_yes_nor_no_is_named(name):
    with pytest.raises(StackError) as caught:
        settings.checked(_make(**{name: "maybe"}))
    assert caught.value.message == f"{name} is neither yes nor no: correct it in .env."


def test_a_master_has_a_server_unless_somebody_says_no():
    assert _make().has_first_server
    assert not _make(SAAS_FIRST_SERVER="no").has_first_server
    made = _make(SAAS_FIRST_SERVER="no", SAAS_ADMIN_PASSWORD="hush")
    assert setup_values(made)["first_server"] is False


def test_the_empty_stack_stands_beside_the_tests_own(tmp_path):
    test, empty = settings.load_test(tmp_path), settings.load_empty(tmp_path)
    assert not empty.has_first_server
    assert empty.admin_password == test.admin_password
    own = ("SAAS_STACK", "SAAS_HTTP_PORT", "SAAS_MAIL_PORT", "SAAS_TENANT_BRIDGE")
    networks = ("SAAS_CONTROL_SUBNET", "SAAS_TENANT_SUBNET")
    for name in own + networks:
        assert len({empty[name], test[name], settings.DEFAULTS[name]}) == 3, name
    for name in networks:
        one, other = ipaddress.ip_network(empty[name]), ipaddress.ip_network(test[name])
        assert not one.overlaps(other)


def test_the_stack_whose_parts_fail_stands_beside_both(tmp_path):
    others = settings.load_test(tmp_path), settings.load_empty(tmp_path)
    faults = settings.load_faults(tmp_path)
    for name in (
        "SAAS_STACK",
        "SAAS_HTTP_PORT",
        "SAAS_MAIL_PORT",
        "SAAS_TENANT_BRIDGE",
    ):
        assert faults[name] not in {other[name] for other in others}, name
    for name in ("SAAS_CONTROL_SUBNET", "SAAS_TENANT_SUBNET"):
        own = ipaddress.ip_network(faults[name])
        for other in others:
            assert not own.overlaps(ipaddress.ip_network(other[name])), name


class LabelledShell:
    """Of an engine where every image has that label."""

    def docker(self, *_argv, **_options):
        return "0815"


def test_only_stacks_of_the_tests_share_what_an_image_has_installed(tmp_path):
    shell = LabelledShell()
    for load in (settings.load_test, settings.load_empty, settings.load_faults):
        assert snapshot(load(tmp_path), shell) == "/var/cache/saas/0815"
    assert snapshot(settings.load(tmp_path), shell) == ""


def test_cleaning_knows_every_stack_that_tests_make():
    stacks = all_stacks(_make())
    made = {settings.TEST_STACK, settings.EMPTY_STACK, settings.FAULTS_STACK}
    made |= {settings.FAULTY_STACK}
    assert made <= set(stacks)


# === HTTPS === #


def test_with_a_port_for_https_people_and_programs_use_it(tmp_path):
    plain = settings.checked(_make())
    assert plain.url == "http://saas.localhost:8080"
    assert plain.proxy_values() == {
        "port": 8080,
        "https_entry_point": False,
        "certificate_resolver": False,
        "covered": False,
        "authority": False,
    }
    secure = settings.checked(_make(SAAS_HTTP_PORT="80", SAAS_HTTPS_PORT="443"))
    assert secure.url == "https://saas.localhost"
    assert secure.ports["SAAS_HTTPS_PORT"] == 443
    assert secure.compose_values()["SAAS_PROXY_USER"] == "0:0"
    assert secure.proxy_values()["scheme"] == "https"
    assert _make(SAAS_HTTPS_PORT="8443").url == "https://saas.localhost:8443"


def test_the_proxy_s_record_says_who_gives_certificates_and_for_what():
    asked = _make(SAAS_HTTPS_PORT="443", SAAS_ACME_EMAIL="ops@hosting.example")
    assert asked.proxy_values()["certificate_resolver"] == "http"
    assert asked.proxy_values()["covered"] is False
    wildcard = _make(**asked.values | {"SAAS_ACME_DNS": "rfc2136"})
    assert wildcard.proxy_values()["covered"] == "*.odoo.localhost"
    off = _make(**wildcard.values | {"SAAS_HTTPS_PORT": ""})
    assert off.proxy_values() == _make().proxy_values()


def test_another_given_certificate_makes_the_proxy_anew(tmp_path):
    for name in ("pem", "key", "ca"):
        (tmp_path / name).write_text("one")
    given = _make(
        SAAS_HTTPS_PORT="443",
        SAAS_CERTIFICATE=str(tmp_path / "pem"),
        SAAS_CERTIFICATE_KEY=str(tmp_path / "key"),
        SAAS_ACME_CA=str(tmp_path / "ca"),
    )
    settings.checked(given)
    assert given.proxy_values()["covered"] == "*.odoo.localhost"
    assert given.proxy_values()["authority"] == "one"
    before = given.compose_values()["SAAS_CERTIFICATE_ID"]
    (tmp_path / "pem").write_text("two")
    assert before != given.compose_values()["SAAS_CERTIFICATE_ID"] != ""
    assert _make().compose_values()["SAAS_CERTIFICATE_ID"] == ""


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"SAAS_HTTPS_PORT": "https"}, "is not a port"),
        ({"SAAS_HTTPS_PORT": "8080"}, "are the same"),
        ({"SAAS_CERTIFICATE": "/etc/hostname"}, "belong together"),
        ({"SAAS_ACME_CA": "ca.pem"}, "not the whole path of a file"),
        ({"SAAS_ACME_DNS_FILE": "/no/such/file"}, "not the whole path of a file"),
    ],
)
def test_settings_of_https_that_cannot_work_are_named(values, said):
    with pytest.raises(StackError, match=said):
        settings.checked(_make(**values))
