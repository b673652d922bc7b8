from __future__ import annotations

from stack import clean

RULES = """\
-P INPUT ACCEPT
-N DOCKER-USER
-N SAAS-saas-FWD
-N SAAS-saas-IN
-N SAAS-saas-test-IN
-A INPUT -i saas0 -j SAAS-saas-IN
-A INPUT -i saastest0 -j SAAS-saas-test-IN
-A DOCKER-USER -i saas0 -j SAAS-saas-FWD
-A DOCKER-USER -j RETURN
-A SAAS-saas-IN -j DROP
"""


def test_jumps_are_removed_before_chains_and_nothing_else_is():
    assert clean.firewall_removal(RULES, "saas") == [
        ["-D", "INPUT", "-i", "saas0", "-j", "SAAS-saas-IN"],
        ["-D", "DOCKER-USER", "-i", "saas0", "-j", "SAAS-saas-FWD"],
        ["-F", "SAAS-saas-FWD"],
        ["-F", "SAAS-saas-IN"],
        ["-X", "SAAS-saas-FWD"],
        ["-X", "SAAS-saas-IN"],
    ]


def test_without_rules_of_ours_nothing_is_removed():
    assert clean.firewall_removal("-P INPUT ACCEPT\n-N DOCKER-USER\n", "saas") == []


def test_what_was_removed_is_said_without_what_was_not():
    assert clean.sentence({"containers": 2, "volumes": 0}) == "Removed 2 containers."
    assert clean.sentence({"containers": 0}) == "There was nothing to remove."
