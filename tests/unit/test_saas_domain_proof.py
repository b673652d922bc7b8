"""Whose a domain is, asked of a DNS server that the test runs."""

from __future__ import annotations

import socket

import pytest

from odoo.addons.saas.engine import domain_proof
from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas.engine.names import InvalidName

import dns_stand_in

HOST = "shop.alfa.example"
PROOF = "saas-proof=0123456789abcdef0123456789abcdef"
OURS = ("odoo.hosting.example", "saas.hosting.example")


@pytest.fixture
def dns():
    with dns_stand_in.serve({}) as server:
        yield server


def put(dns, *texts):
    dns.records["_saas-proof.shop.alfa.example", "TXT"] = [f'"{t}"' for t in texts]


def refusal(dns):
    with pytest.raises(RefusedError) as caught:
        domain_proof.check_proof(HOST, PROOF, resolver=dns.address)
    return caught.value


def test_a_domain_is_proved_by_its_record_among_others(dns):
    put(dns, "v=spf1 -all", PROOF)
    domain_proof.check_proof(HOST, PROOF, resolver=dns.address)
    assert dns.asked == [("_saas-proof.shop.alfa.example", "TXT")]


def test_a_long_record_that_comes_in_pieces_is_read_as_one(dns):
    dns.records["_saas-proof.shop.alfa.example", "TXT"] = [
        f'"{PROOF[:10]}" "{PROOF[10:]}"'
    ]
    domain_proof.check_proof(HOST, PROOF, resolver=dns.address)


def test_without_a_record_the_owner_reads_where_it_has_to_lie(dns):
    error = refusal(dns)
    assert error.reason == "no_record"
    assert "no TXT record at _saas-proof.shop.alfa.example yet" in error.message


def test_a_name_that_has_other_records_only_is_not_proved(dns):
    dns.records["_saas-proof.shop.alfa.example", "A"] = ["127.0.0.1"]
    assert refusal(dns).reason == "no_record"


def test_another_text_is_not_a_proof_and_the_right_one_is_named(dns):
    put(dns, PROOF[:-1], f"{PROOF}0", PROOF.upper())
    error = refusal(dns)
    assert error.reason == "wrong_record"
    assert error.message.endswith(PROOF)


def test_a_record_that_comes_later_is_seen_at_once(dns):
    refusal(dns)
    put(dns, PROOF)
    domain_proof.check_proof(HOST, PROOF, resolver=dns.address)


def test_a_broken_dns_says_nothing_about_the_record(dns):
    put(dns, PROOF)
    dns.broken = True
    with pytest.raises(RetryableError) as caught:
        domain_proof.check_proof(HOST, PROOF, resolver=dns.address)
    assert caught.value.reason == "dns_silent"
    assert "127.0.0.1" not in caught.value.message


def test_a_resolver_that_does_not_answer_is_waited_for_a_bounded_time():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RetryableError, match="could not be asked"):
            domain_proof.check_proof(HOST, PROOF, resolver=where, timeout=0.3)


@pytest.mark.parametrize("address", ["dns.example", "192.0.2.53:dns", "192.0.2", ":53"])
def test_what_is_no_address_of_a_resolver_is_named(address):
    with pytest.raises(RefusedError, match="is no DNS resolver") as caught:
        domain_proof.check_proof(HOST, PROOF, resolver=address)
    assert caught.value.reason == "bad_resolver"


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 53),
        ("192.0.2.53:5353", "192.0.2.53", 5353),
        ("2001:db8::53", "2001:db8::53", 53),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353),
    ],
)
def test_resolvers_are_named_with_and_without_a_port(address, host, port):
    made = domain_proof._make_resolver(address)
    assert ([str(server) for server in made.nameservers], made.port) == ([host], port)


def test_each_proof_is_another_one():
    proofs = {domain_proof.new_proof() for _ in range(50)}
    assert len(proofs) == 50
    assert all(len(proof) == len(PROOF) for proof in proofs)


@pytest.mark.parametrize(
    "host",
    [
        "odoo.hosting.example",
        "alfa.odoo.hosting.example",
        "x.saas.hosting.example",
        "hosting.example",
    ],
)
def test_a_domain_of_ours_is_nobody_s_own(host):
    with pytest.raises(InvalidName, match="lies in a domain of ours"):
        domain_proof.check_own_host(host, OURS)


def test_a_domain_of_the_customer_may_be_beside_ours():
    for host in ("alfa.example", "my-odoo.hosting.example", "odoo.hosting.example.org"):
        assert domain_proof.check_own_host(host, OURS) == host


def test_a_domain_whose_proof_would_have_no_name_is_refused():
    host = ".".join(["a" * 60] * 4)
    assert len(host) < 253
    with pytest.raises(InvalidName, match="too long to be proved"):
        domain_proof.check_own_host(host, OURS)
