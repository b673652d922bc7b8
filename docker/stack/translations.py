"""The addons' terms: ``.pot`` files from the code, ``.po`` files that have them all."""

from __future__ import annotations

from collections.abc import Sequence

from .odoo_tests import Runner
from .settings import Settings
from .shell import Shell

LANGUAGES = ("pt_BR", "es")

# Terms that are gone leave a file, new ones come in empty: a test names those.
MERGE = """\
import pathlib, sys
import polib

addons, languages = (text.split(",") for text in sys.argv[1:])
for addon in addons:
    folder = pathlib.Path("/opt/saas/addons") / addon / "i18n"
    template = folder / f"{addon}.pot"
    if not template.exists() or not template.stat().st_size:
        template.unlink(missing_ok=True)
        continue
    terms = polib.pofile(str(template))
    for key in ("POT-Creation-Date", "PO-Revision-Date"):
        terms.metadata.pop(key, None)
    terms.save()
    for language in languages:
        path = folder / f"{language}.po"
        po = polib.pofile(str(path)) if path.exists() else polib.POFile()
        known = {entry.msgid: entry.msgstr for entry in po}
        merged = polib.POFile(wrapwidth=terms.wrapwidth)
        merged.metadata = {**terms.metadata, "Language": language}
        for entry in terms:
            entry.msgstr = known.get(entry.msgid, "")
            merged.append(entry)
        merged.save(str(path))
"""


def update(settings: Settings, shell: Shell, addons: Sequence[str]) -> None:
    """Write the terms of the addons as their code has them now.

    :raise StackError: an addon cannot be installed
    """
    runner = Runner(settings, shell)
    try:
        runner.export_terms(addons, MERGE, ",".join(LANGUAGES))
    finally:
        runner.stop()
