"""T24: a bit of a copy is turned over, where it lies or on its way."""

from __future__ import annotations

import json

import backup_bench_docker
import pytest
from backup_bench_docker import HASH_ALL, refused, retryable
from postgres_bench import docker

# The copies whose dump, pack and manifest are damaged.
BAD = ("b2", "b3", "b4")

FLIP = """
import sys
for path in sys.argv[1:]:
    with open(path, "r+b") as file:
        file.seek(-9, 2)
        byte = file.read(1)[0]
        file.seek(-9, 2)
        file.write(bytes([byte ^ 1]))
"""


def flip(bench, keys):
    docker(
        *(
            "run",
            "--rm",
            *backup_bench_docker.MARK,
            "--volume",
            f"{bench.store}:/mnt/store",
        ),
        *(backup_bench_docker.IMAGE, "python3", "-c", FLIP),
        *(f"/mnt/store/{key}" for key in keys),
    )


def last_of(stored, tenant, kind, before=()):
    """The key of the object of that kind which was not there before."""
    (key,) = [
        key for key in stored if f"{tenant}/{kind}" in key and key not in set(before)
    ]
    return key


@pytest.mark.case(
    did="in the store one bit is turned over of a dump, of a pack of files, and of a "
    "manifest, each of another copy",
    expected="proving and restoring each says that it is damaged and leaves no file "
    "behind; the good copy before them restores",
)
def test_t24_a_flipped_bit_is_found_and_the_copy_before_is_good(
    bench, tenant, fresh, found
):
    bench.attach(tenant, 3)
    bench.run("backup", tenant, backup="b1")
    wanted = bench.contents(tenant)
    before = bench.stored()
    bench.attach(tenant, 3)
    made = [bench.make_job("backup", tenant, backup=id, force=True) for id in BAD]
    assert [ended.code for ended in bench.end_all(tenant, made)] == [0, 0, 0]
    stored = bench.stored()
    flip(
        bench,
        [
            last_of(stored, tenant, "databases/b2"),
            last_of(stored, tenant, "packs/", before),
            last_of(stored, tenant, "backups/b4"),
        ],
    )
    other = bench.add_tenant(schema="")
    places = {"b2": fresh, "b3": other, "b4": fresh, "b1": fresh}
    tries = [bench.make_job("verify", tenant, backup=id) for id in BAD]
    tries += [
        bench.make_job("restore", tenant, to=place, backup=id, filestore=folder(id))
        for id, place in places.items()
    ]
    *damaged, good = bench.end_all(fresh, tries)
    for ended in damaged:
        found(f"“{refused('damaged', ended.answer)}”")
    assert good.answer()["files"] == 3
    assert bench.contents(fresh) == wanted
    left = json.loads(bench.run_inside(fresh, "h.py", HASH_ALL).splitlines()[-1])
    assert {id: len(files) for id, files in left.items() if files} == {"b1": 3}
    found(f"{len(damaged)} of {len(damaged)} tries refused; b1 restored whole")


def folder(id):
    return f"/var/lib/odoo/filestore/{id}"


@pytest.mark.case(
    did="the service stores every object with one bit turned over",
    expected="reading back finds it before the copy counts: tried again, no manifest",
)
def test_t24_a_bit_flipped_on_the_way_is_found_before_the_copy_counts(
    bench, tenant, stand_in, bucket, found
):
    stand_in.faults.flip = True
    message = retryable(
        "checksum", lambda: bench.run("backup", tenant, store=bucket, backup="b1")
    )
    assert not [key for key in stand_in.objects if "/backups/" in key]
    found(f"“{message}”; 0 copies")
