from __future__ import annotations

import pytest
from odoo_image import load

saas_init = load("saas_init")


def test_modules_are_read_without_doubles_and_spaces():
    arguments = saas_init.parse_arguments(
        ["--modules", "website, sale_management,website", "--language", "fr_FR"]
    )
    assert arguments.modules == ["website", "sale_management"]
    assert arguments.language == "fr_FR"


def test_without_arguments_it_is_base_in_english():
    arguments = saas_init.parse_arguments([])
    assert (arguments.modules, arguments.language) == (["base"], "en_US")


@pytest.mark.parametrize("name", ["Sale", "../base", "a b", "sale;drop", "-x"])
def test_what_is_no_name_of_a_module_is_refused(name, capsys):
    with pytest.raises(SystemExit) as caught:
        saas_init.parse_arguments([f"--modules={name}"])
    assert caught.value.code == 2
    assert f"{name!r} is no name of a module" in capsys.readouterr().err


def test_the_assets_of_a_page_are_found_once_and_in_order():
    html = """
      <link rel="stylesheet" href="/web/assets/1a/web.css"/>
      <script src='/web/assets/2b/web.js?x=1&amp;y=2'></script>
      <script src="/web/assets/1a/web.css"></script>
      <img src="/web/image/1"/><a href="https://other/web/assets/x.js">x</a>
      <a href="#/web/assets/3"></a>
    """
    assert saas_init.find_asset_urls(html) == [
        "/web/assets/1a/web.css",
        "/web/assets/2b/web.js?x=1&y=2",
    ]


def test_an_error_of_many_lines_becomes_one():
    error = ValueError("\n  connection refused\n\tIs the server running?\n")
    assert saas_init.last_line(error) == "connection refused"
    assert saas_init.last_line(KeyError()) == "KeyError"


def test_progress_says_what_was_done_and_how_long(capsys):
    saas_init.Progress()("3 assets generated")
    assert capsys.readouterr().out == "saas-init: 3 assets generated (0.0 s)\n"


def test_a_refusal_is_one_line_and_a_status(monkeypatch, capsys):
    def refuse(_arguments):
        raise saas_init.InitError("unknown module: nonsense")

    monkeypatch.setattr(saas_init, "run", refuse)
    monkeypatch.setattr("sys.excepthook", None)
    assert saas_init.main(["--modules", "nonsense"]) == 1
    assert capsys.readouterr().err == "saas-init: unknown module: nonsense\n"
