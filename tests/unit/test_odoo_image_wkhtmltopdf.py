from __future__ import annotations

import urllib.error

import lxml.html
import pytest
from odoo_image import load

wkhtmltopdf = load("wkhtmltopdf")

ODOO = """
    --disable-local-file-access --quiet --page-size A4 --margin-top 52.0 --dpi 90
    --zoom 1.0666666666666667 --header-spacing 52 --margin-left 0.0
    --margin-bottom 32.0 --margin-right 7.5 --orientation Portrait
    --javascript-delay 1000 --cookie-jar c.txt --header-html h.html
    --footer-html f.html b0.html b1.html out.pdf
""".split()  # noqa: SIM905 (as it is typed)


def document(html):
    return lxml.html.document_fromstring(html)


def test_the_call_of_odoo_is_understood_whole():
    options = wkhtmltopdf.parse_arguments(ODOO)
    assert (options.width, options.height) == (210, 297)
    assert options.margins == (52.0, 7.5, 32.0, 0.0)
    assert (options.header, options.footer) == ("h.html", "f.html")
    assert options.header_spacing == 52
    assert options.cookie_jar == "c.txt"
    assert options.bodies == ["b0.html", "b1.html"]
    assert options.output == "out.pdf"


@pytest.mark.parametrize("dpi", [72, 90, 96, 300])
def test_the_zoom_of_odoo_makes_every_dpi_the_same_size(dpi):
    values = {"--dpi": str(dpi), "--zoom": str(96 / dpi)}
    assert wkhtmltopdf.scale_of(values) == pytest.approx(0.8)


def test_without_shrinking_a_pixel_is_the_96th_of_an_inch():
    assert wkhtmltopdf.scale_of({"--disable-smart-shrinking": "yes"}) == 1


def test_landscape_turns_the_paper_whoever_asks_and_how_often():
    argv = "--page-size Letter --orientation Portrait --orientation landscape b o"
    options = wkhtmltopdf.parse_arguments(argv.split())
    assert (options.width, options.height) == (279.4, 215.9)


def test_a_size_of_its_own_is_taken():
    argv = "--page-width 80mm --page-height 5.5cm b o"
    options = wkhtmltopdf.parse_arguments(argv.split())
    assert (options.width, options.height) == (80, 55)


@pytest.mark.parametrize(
    "argv", [[], ["only.html"], ["--margin-top", "wide", "b", "o"]]
)
def test_a_call_without_sense_ends_with_status_2_and_a_sentence(argv, capsys):
    assert wkhtmltopdf.main(argv) == 2
    assert capsys.readouterr().err.startswith("wkhtmltopdf: ")


def test_the_version_is_one_with_which_odoo_prints_several_documents(capsys):
    assert wkhtmltopdf.main(["--version"]) == 0
    assert capsys.readouterr().out == "wkhtmltopdf 0.12.6.1 (with patched qt)\n"


def test_conditions_on_the_width_are_decided_by_the_page():
    css = (
        "@media (min-width:768px){.a{b:c}}@media (min-width: 1200px){.d{e:f}}"
        "@media screen and (max-width:100em){.g{h:i}}@media print{.j{k:l}}"
    )
    assert wkhtmltopdf.resolve_media(css, 992) == (
        "@media all{.a{b:c}}@media never{.d{e:f}}"
        "@media screen{.g{h:i}}@media print{.j{k:l}}"
    )


def test_fonts_that_nobody_uses_or_of_other_sites_are_left_out():
    own = "@font-face{font-family:'Lato';src:url(/web/lato.woff)}"
    foreign = "@font-face{font-family:Lato;src:url(https://cdn/lato.woff)}"
    unused = "@font-face{font-family:Tajawal;src:url(/web/tajawal.woff)}"
    rule = 'body{font-family:"Lato", sans-serif}'
    assert wkhtmltopdf.drop_unused_fonts(own + foreign + unused + rule) == own + rule


def test_rules_for_classes_that_no_document_has_are_left_out():
    css = (
        "body{a:b}.row{a:b}.row>.col,.btn .row{a:b}.btn{a:b}.btn .row{a:b}"
        ".x:not(.y,.row){a:b}.w-1\\.5{a:b}@font-face{a:b}"
        "@media print{.btn{a:b}.row{a:b}}"
    )
    assert wkhtmltopdf.drop_unused_rules(css, {"row"}) == (
        "body{a:b}.row{a:b}.x:not(.y,.row){a:b}.w-1\\.5{a:b}@font-face{a:b}"
        "@media print{.row{a:b}}"
    )
    assert ".row>.col" in wkhtmltopdf.drop_unused_rules(css, {"row", "col"})


def test_lengths_grow_as_the_page_is_shrunk_afterwards():
    style = wkhtmltopdf.page_style(wkhtmltopdf.parse_arguments(ODOO))
    assert "size: 262.500mm 371.250mm;" in style
    assert "margin: 65.000mm 9.375mm 40.000mm 0.000mm;" in style
    assert "padding-top: 0.000mm;" in style


HEADERS = """<body class="o_body_pdf"><div id="minimal_layout_report_headers">
  <div class="header">first</div><div class="header">second</div>
</div><script>subst()</script></body>"""
FOOTERS = """<body><div id="minimal_layout_report_footers"><div class="footer">
  Page <span class="page"/> / <span class="topage"/></div></div></body>"""


def assembled(index):
    body = document('<body class="o_body_pdf"><div class="page">text</div></body>')
    header, footer = document(HEADERS), document(FOOTERS)
    return wkhtmltopdf.assemble(body, header, footer, index)


@pytest.mark.parametrize(
    ("index", "text"), [(0, "first"), (1, "second"), (5, "second")]
)
def test_each_body_gets_the_header_at_its_place(index, text):
    header = assembled(index).get_element_by_id("saas-header")
    assert header.text_content().strip() == text
    assert header.get("class") == "o_body_pdf"


def test_the_numbers_of_pages_are_counted_in_the_footer_alone():
    body = assembled(0)
    assert [
        element.get("class")
        for element in body.get_element_by_id("saas-footer").iter("span")
    ] == ["page saas-page", "topage saas-pages"]
    assert body.xpath("//div[@class='page']")[0].text == "text"


def test_the_title_of_the_folder_layout_is_kept_without_its_shapes():
    header = document(
        '<body><div id="minimal_layout_report_headers"><div class="header">'
        '<div class="o_folder_header_container z-n1"><svg></svg><h2>Invoice</h2></div>'
        "<p>Company</p></div></div></body>"
    )
    body = wkhtmltopdf.assemble(document("<body>text</body>"), header, None, 0)
    done = body.get_element_by_id("saas-header")[0]
    assert [(element.tag, element.text) for element in done] == [
        ("p", "Company"),
        ("h2", "Invoice"),
    ]


def test_scripts_are_taken_away_as_nobody_runs_them():
    body = document("<body><script>subst()</script>text</body>")
    done = wkhtmltopdf.assemble(body, None, None, 0)
    assert (done.xpath("//script"), done.text_content()) == ([], "text")


@pytest.fixture
def fetcher():
    return wkhtmltopdf.Fetcher("http://alfa.example:8080", "session_id=abc", "8069")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/web/assets/1.css", ("http://127.0.0.1:8069/web/assets/1.css", True)),
        ("http://alfa.example:8080/a", ("http://127.0.0.1:8069/a", True)),
        ("http://alfa.example/a", ("http://alfa.example/a", False)),
        ("https://cdn.example/x", ("https://cdn.example/x", False)),
    ],
)
def test_the_own_address_is_asked_on_this_machine(fetcher, url, expected):
    assert fetcher.locate(url) == expected


def test_files_are_never_read(fetcher):
    with pytest.raises(ValueError, match="cannot be had"):
        fetcher("file:///etc/odoo/odoo.conf")
    assert fetcher.failures == ["file:///etc/odoo/odoo.conf: not allowed"]


def test_the_session_goes_to_odoo_and_to_nobody_else(fetcher, monkeypatch):
    seen = {}

    def urlopen(request, timeout):
        seen[request.full_url] = request.get_header("Cookie")
        raise urllib.error.URLError("refused")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    for url in ("/web/image/1", "https://cdn.example/x", "/web/image/1"):
        with pytest.raises(ValueError, match="cannot be had"):
            fetcher.fetch(url)
    assert seen == {
        "http://127.0.0.1:8069/web/image/1": "session_id=abc",
        "https://cdn.example/x": None,
    }
    assert len(fetcher.failures) == 2


def test_the_session_is_read_from_the_cookie_file_of_odoo(tmp_path):
    path = tmp_path / "jar.txt"
    path.write_text("session_id=abc; HttpOnly; domain=127.0.0.1; path=/;")
    assert wkhtmltopdf.read_cookie(str(path)) == "session_id=abc"
    assert wkhtmltopdf.read_cookie("") == ""


def test_the_port_is_the_one_of_the_configuration(tmp_path, monkeypatch):
    path = tmp_path / "odoo.conf"
    path.write_text("[options]\nhttp_port = 8070\ndb_password = 1%2\n")
    monkeypatch.setenv("ODOO_RC", str(path))
    assert wkhtmltopdf.local_port() == "8070"
    monkeypatch.setenv("ODOO_RC", str(tmp_path / "absent"))
    assert wkhtmltopdf.local_port() == "8069"


def test_the_address_of_a_document_is_its_base():
    html = '<head><base href="https://alfa.example"/></head>'
    assert wkhtmltopdf.base_address(document(html)) == "https://alfa.example"
    assert wkhtmltopdf.base_address(document("<p>x</p>")) == "http://127.0.0.1/"
