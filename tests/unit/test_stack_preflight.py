from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from stack import preflight
from stack.preflight import GIB, Facts
from stack.settings import DEFAULTS, Settings
from stack.shell import StackError

SETTINGS = Settings(Path("/clone"), DEFAULTS)
GOOD = Facts(
    root=True,
    sudo=False,
    docker=False,
    distributions=frozenset({"debian"}),
    machine="x86_64",
    disk=50 * GIB,
    memory=4 * GIB,
    built=False,
    busy=frozenset(),
)


def _problems(**facts: object) -> list[str]:
    return preflight.problems(dataclasses.replace(GOOD, **facts), SETTINGS)


def test_a_fresh_debian_with_root_is_good_enough():
    assert _problems() == []


@pytest.mark.parametrize(
    ("facts", "start", "advice"),
    [
        ({"root": False}, "No permission for Docker", "usermod -aG docker"),
        ({"disk": GIB}, "Too little disk: 1.0 GB are free", "make room"),
        ({"memory": GIB}, "Too little memory: the machine has 1.0 GB", "larger one"),
        ({"busy": frozenset({8080})}, "Port 8080 is busy", "another SAAS_HTTP_PORT"),
        ({"busy": frozenset({5432})}, "Port 5432 is busy", "listen_addresses"),
        (
            {"distributions": frozenset({"fedora"})},
            "This is neither Debian nor Ubuntu",
            "install and start Docker by hand",
        ),
        ({"machine": "riscv64"}, "The processor is riscv64", "use a machine with"),
    ],
)
def test_each_problem_is_one_sentence_that_says_what_to_do(facts, start, advice):
    [sentence] = _problems(**facts)
    assert sentence.startswith(start)
    assert advice in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("way", ["sudo", "docker"])
def test_a_user_with_sudo_or_an_engine_that_answers_needs_no_root(way):
    assert _problems(root=False, **{way: True}) == []


def test_images_that_are_there_need_less_disk():
    assert _problems(disk=3 * GIB, built=True) == []


def test_any_distribution_will_do_where_an_engine_answers():
    assert _problems(distributions=frozenset({"fedora"}), docker=True) == []


def test_the_first_problem_is_raised_and_the_others_follow():
    facts = dataclasses.replace(GOOD, root=False, disk=0)
    with pytest.raises(StackError) as caught:
        preflight.check(facts, SETTINGS)
    assert caught.value.message.startswith("No permission")
    assert caught.value.details.startswith("Too little disk")


def test_distributions_that_derive_from_debian_are_known():
    text = 'ID=linuxmint\nID_LIKE="ubuntu debian"\n'
    assert preflight.distributions(text) == {"linuxmint", "ubuntu", "debian"}


def test_memory_is_read_in_bytes():
    assert preflight.memory_bytes("MemTotal:  1024 kB\nMemFree: 1 kB\n") == 1024**2


def test_only_listeners_on_every_address_are_in_the_way():
    table = (
        "  sl  local_address rem_address   st\n"
        "   0: 00000000:1538 00000000:0000 0A\n"  # 0.0.0.0:5432 listens
        "   1: 0100007F:1F90 00000000:0000 0A\n"  # 127.0.0.1:8080 listens
        "   2: 00000000:0050 00000000:0000 01\n"  # a connection
    )
    assert preflight.wildcard_listeners(table) == {5432}
