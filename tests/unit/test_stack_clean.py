from __future__ import annotations

import pytest

from stack import clean
from stack.shell import StackError

RULES = """\
-P INPUT ACCEPT
-N DOCKER-USER
-N SAAS-saas-FWD
-N SAAS-saas-IN
-N SAAS-saas-OUT
-N SAAS-saas-test-IN
-A INPUT -i saas0 -j SAAS-saas-IN
-A INPUT -i saastest0 -j SAAS-saas-test-IN
-A DOCKER-USER -i saas0 -j SAAS-saas-FWD
-A DOCKER-USER -o saas0 -j SAAS-saas-OUT
-A DOCKER-USER -j RETURN
-A SAAS-saas-IN -j DROP
"""


def test_jumps_are_removed_before_chains_and_nothing_else_is():
    assert clean.firewall_removal(RULES, "saas") == [
        ["-D", "INPUT", "-i", "saas0", "-j", "SAAS-saas-IN"],
        ["-D", "DOCKER-USER", "-i", "saas0", "-j", "SAAS-saas-FWD"],
        ["-D", "DOCKER-USER", "-o", "saas0", "-j", "SAAS-saas-OUT"],
        ["-F", "SAAS-saas-FWD"],
        ["-F", "SAAS-saas-IN"],
        ["-F", "SAAS-saas-OUT"],
        ["-X", "SAAS-saas-FWD"],
        ["-X", "SAAS-saas-IN"],
        ["-X", "SAAS-saas-OUT"],
    ]


def test_translated_addresses_are_removed_too():
    rules = """\
-P PREROUTING ACCEPT
-N DOCKER
-N SAAS-saas-NAT
-A PREROUTING -i saas0 -j SAAS-saas-NAT
-A SAAS-saas-NAT -j RETURN
"""
    assert clean.firewall_removal(rules, "saas") == [
        ["-D", "PREROUTING", "-i", "saas0", "-j", "SAAS-saas-NAT"],
        ["-F", "SAAS-saas-NAT"],
        ["-X", "SAAS-saas-NAT"],
    ]


def test_without_rules_of_ours_nothing_is_removed():
    assert clean.firewall_removal("-P INPUT ACCEPT\n-N DOCKER-USER\n", "saas") == []


def test_what_was_removed_is_said_without_what_was_not():
    assert clean.sentence({"containers": 2, "volumes": 0}) == "Removed 2 containers."
    assert clean.sentence({"containers": 0}) == "There was nothing to remove."


class FakeShell:
    """Answers ``docker ... ls --filter label=...`` from what has which labels."""

    def __init__(self, **labels_by_id):
        self.labels_by_id = labels_by_id
        self.commands = []

    def docker(self, *arguments, **_options):
        self.commands.append(arguments)
        if "ls" not in arguments:
            return ""
        [wanted] = [word for word in arguments if word.startswith("label=")]
        label = wanted.removeprefix("label=")
        found = (name for name, labels in self.labels_by_id.items() if label in labels)
        return "\n".join(found)

    def root(self, _arguments, **_options):
        return type("Done", (), {"stdout": ""})()


OURS = ("saas.stack=saas", "com.docker.compose.project=saas")
STRANGER = ("com.docker.compose.project=saas",)


def test_a_strangers_project_of_the_same_name_is_not_removed():
    shell = FakeShell(ours=OURS, stranger=STRANGER)
    clean.remove_stack(shell, "saas")
    removals = [command for command in shell.commands if "ls" not in command]
    assert removals
    assert all("stranger" not in command for command in removals)


def test_a_strangers_project_of_the_same_name_is_told_before_anything_is_started():
    with pytest.raises(StackError, match="set another SAAS_STACK"):
        clean.refuse_stranger(FakeShell(ours=OURS, stranger=STRANGER), "saas")
    clean.refuse_stranger(FakeShell(ours=OURS), "saas")
