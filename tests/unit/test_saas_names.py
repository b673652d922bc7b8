"""Names that a tenant may have, and those that it may not, with the reason."""

from __future__ import annotations

import pytest

from odoo.addons.saas.engine import names


@pytest.mark.parametrize(
    "name", ["alfa", "beta", "ab", "a1", "my-shop-2", "x" * 63, "tenant-9"]
)
def test_a_plain_name_is_accepted_as_it_is(name):
    assert names.check_subdomain(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "The name is empty."),
        ("a", "The name is too short: at least 2 characters."),
        ("x" * 64, "The name is too long: at most 63 characters."),
        ("Alfa", "The name must be in lower case: “alfa”."),
        ("al fa", "The name must not contain spaces or line breaks."),
        ("alfa\n", "The name must not contain spaces or line breaks."),
        ("alfa\r\nX-Evil: 1", "The name must not contain spaces or line breaks."),
        ("alfa\0", "The name must not contain spaces or line breaks."),
        ("älfa", "The name may use the letters a to z only, without accents."),
        ("\u0430lfa", "The name may use the letters a to z only, without accents."),
        ("al'fa", "The name may contain letters, digits and hyphens only."),
        ('al"fa', "The name may contain letters, digits and hyphens only."),
        ("al`fa", "The name may contain letters, digits and hyphens only."),
        ("alfa;drop", "The name may contain letters, digits and hyphens only."),
        ("al.fa", "The name may contain letters, digits and hyphens only."),
        ("al_fa", "The name may contain letters, digits and hyphens only."),
        ("../alfa", "The name may contain letters, digits and hyphens only."),
        ("-x", "The name must not begin or end with a hyphen."),
        ("x-", "The name must not begin or end with a hyphen."),
        ("1alfa", "The name must begin with a letter."),
    ],
)
def test_a_name_that_breaks_a_rule_is_refused_with_that_rule(name, reason):
    with pytest.raises(names.InvalidName) as failure:
        names.check_subdomain(name)
    assert str(failure.value) == reason


@pytest.mark.parametrize("name", ["xn--bcher-kva", "ab--cd"])
def test_a_name_that_browsers_would_read_otherwise_is_refused(name):
    with pytest.raises(names.InvalidName, match="two hyphens in third and fourth"):
        names.check_subdomain(name)


@pytest.mark.parametrize("name", ["www", "mail", "admin", "api", "saas", "localhost"])
def test_a_reserved_name_is_refused_by_its_name(name):
    with pytest.raises(names.InvalidName) as failure:
        names.check_subdomain(name)
    assert str(failure.value) == (
        f"The name “{name}” is reserved. Please choose another one."
    )


def test_the_reserved_names_could_all_be_asked_for():
    """One that breaks another rule would stand there for nothing."""
    usable = set()
    for name in names.RESERVED:
        with pytest.raises(names.InvalidName, match="is reserved"):
            names.check_subdomain(name)
        usable.add(name)
    assert len(usable) >= 150


@pytest.mark.parametrize(
    "host",
    ["alfa.odoo.localhost", "shop.example", "xn--bcher-kva.example", "1a.example.com"],
)
def test_a_plain_host_name_is_accepted_as_it_is(host):
    assert names.check_host(host) == host


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "Alfa.example",
        "alfa..example",
        ".alfa.example",
        "alfa.example.",
        "alfa.example:8080",
        "alfa.example/path",
        "alfa`) || Host(`evil.example",
        "alfa.example\n",
        "al fa.example",
        "*.example",
        "-a.example",
        "a-.example",
        "bücher.example",
        "127.0.0.1",
        f"{'x' * 64}.example",
        ".".join(["abcdefgh"] * 30),
    ],
)
def test_what_is_no_host_name_is_refused(host):
    with pytest.raises(names.InvalidName) as failure:
        names.check_host(host)
    assert str(failure.value).endswith((".", "”."))


def test_new_ids_differ_and_are_valid():
    uids = {names.new_uid() for _ in range(100)}
    templates = {names.new_template_uid() for _ in range(100)}
    assert len(uids) == len(templates) == 100
    assert {names.check_uid(uid) for uid in uids | templates} == uids | templates
    assert not uids & templates


@pytest.mark.parametrize(
    "uid", ["", "postgres", "t0", "T0123456789AB", "t0123456789ab\n"]
)
def test_what_is_no_id_is_refused(uid):
    with pytest.raises(names.InvalidName):
        names.check_uid(uid)
