from __future__ import annotations

import os
import tarfile
import types
from pathlib import Path

import pytest

from stack import images, settings
from stack.shell import StackError


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "docker/web"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(
        "ARG BASE\nFROM ${BASE}\nCOPY --chown=1:1 docker/web/a.sh \\\n  /a.sh\n"
        "COPY --from=other /x /y\nCOPY docker/web/files /files\n"
        'COPY ["docker/web/a.sh", "/b.sh"]\n'
    )
    (folder / "a.sh").write_text("true\n")
    (folder / "files/__pycache__").mkdir(parents=True)
    (folder / "files/__pycache__/x.pyc").write_text("")
    (folder / "files/one").write_text("1")
    return tmp_path


def _hash(root: Path, parent: str = "p", **arguments: str) -> str:
    files = images.context_files(root, "docker/web/Dockerfile")
    return images.context_hash(root, files, arguments, parent)


def test_what_a_dockerfile_copies_is_found_in_all_its_forms(clone):
    text = (clone / "docker/web/Dockerfile").read_text()
    assert images.copied_sources(text) == [
        "docker/web/a.sh",
        "docker/web/files",
        "docker/web/a.sh",
    ]


def test_the_context_holds_what_is_copied_and_no_caches(clone):
    files = images.context_files(clone, "docker/web/Dockerfile")
    assert [file.relative_to(clone / "docker/web").as_posix() for file in files] == [
        "Dockerfile",
        "a.sh",
        "files/one",
    ]


def test_what_is_copied_but_missing_is_named(clone):
    (clone / "docker/web/a.sh").unlink()
    with pytest.raises(
        StackError, match=r"copies docker/web/a\.sh, which is not there"
    ):
        images.context_files(clone, "docker/web/Dockerfile")


def test_the_hash_stays_when_only_times_change(clone):
    before = _hash(clone)
    os.utime(clone / "docker/web/a.sh", (1, 1))
    assert _hash(clone) == before


def test_the_hash_changes_with_content_name_mode_argument_and_parent(clone):
    script = clone / "docker/web/a.sh"
    seen = [_hash(clone), _hash(clone, parent="q"), _hash(clone, BASE="debian")]
    script.write_text("false\n")
    seen.append(_hash(clone))
    script.chmod(0o755)
    seen.append(_hash(clone))
    (clone / "docker/web/files/one").rename(clone / "docker/web/files/two")
    seen.append(_hash(clone))
    assert len(set(seen)) == len(seen)


def test_the_context_is_packed_without_owner_and_time(clone, tmp_path):
    files = images.context_files(clone, "docker/web/Dockerfile")
    path = tmp_path / "context.tar"
    with path.open("w+b") as archive:
        images.pack(clone, files, archive)
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    assert next(member.name for member in members) == "docker/web/Dockerfile"
    assert {(member.uid, member.mtime) for member in members} == {(0, 0)}


def test_every_image_builds_on_one_that_comes_before_it():
    known = [""]
    for image in images.IMAGES:
        assert image.parent in known
        known.append(image.name)


class SourcesShell:
    """Answers with what is in a base image's list of package sources."""

    def __init__(self, sources: str) -> None:
        self.sources = sources

    def docker(self, *_argv: str) -> str:
        return self.sources


def _mirror(sources: str, given: str = "") -> str:
    values = {**settings.DEFAULTS, "DEBIAN_MIRROR": given}
    return images.mirror(
        settings.Settings(Path("/clone"), values), SourcesShell(sources)
    )


@pytest.mark.parametrize(
    "sources",
    [
        "deb http://mirror.test/debian trixie main\n",
        "# local\ndeb [signed-by=/k.gpg] http://mirror.test/debian/ trixie main\n",
        "Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\n",
    ],
)
def test_packages_come_from_where_the_base_image_takes_its_own(sources):
    assert _mirror(sources) == "http://mirror.test/debian"


def test_packages_come_from_the_mirror_that_the_operator_names():
    assert _mirror("", "http://near.test/debian/") == "http://near.test/debian"


def test_a_base_image_without_a_mirror_is_said_with_what_to_do():
    with pytest.raises(StackError, match="names no Debian mirror: set DEBIAN_MIRROR"):
        _mirror("")


@pytest.fixture
def builds(monkeypatch):
    """What was built, in its order; ``builds.broken`` cannot be."""

    class Builds(list):
        broken = ""

        def build(self, _settings, _shell, image, _base):
            if image.name == self.broken:
                raise StackError(f"{image.name} cannot be built.")
            assert not image.parent or image.parent in self
            self.append(image.name)
            return image.name != "saas-base"

    builds = Builds()
    monkeypatch.setattr(images, "build", builds.build)
    monkeypatch.setattr(images, "base_of", lambda _settings, _image: "base")
    monkeypatch.setattr(images, "ensure_foreign_base", lambda _shell, _base: None)
    return builds


def test_each_image_is_built_after_the_one_that_it_builds_on(builds):
    said = images.ensure(
        types.SimpleNamespace(root=settings.ROOT), None, lambda _text: None
    )
    names = [image.name for image in images.IMAGES]
    assert sorted(builds) == sorted(names)
    assert said == names[1:]


def test_what_builds_on_an_image_that_cannot_be_built_is_not_begun(builds):
    builds.broken = "saas-odoo"
    with pytest.raises(StackError) as caught:
        images.ensure(
            types.SimpleNamespace(root=settings.ROOT), None, lambda _text: None
        )
    assert caught.value.message == "saas-odoo cannot be built."
    assert "saas-master" not in builds
