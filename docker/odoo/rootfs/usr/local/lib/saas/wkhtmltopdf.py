#!/usr/bin/python3
"""Stands behind Odoo's call of wkhtmltopdf and renders with WeasyPrint.

Understands the options that Odoo passes, and the documents that it passes with them:
bodies, and one header and one footer file that hold those of all bodies in order.
Style sheets and pictures come from the document's base address. That is the address
that visitors use, which a container need not reach, so it is asked on this machine.

Exit status: 0, or 1 when something could not be loaded and the PDF lacks it, or 2 when
there is no PDF.
"""

from __future__ import annotations

import configparser
import dataclasses
import functools
import os
import re
import sys
import traceback
import urllib.parse
import urllib.request

VERSION = "wkhtmltopdf 0.12.6.1 (with patched qt)"
"""What Odoo looks for: several documents in one call, and dpi that follows zoom."""

SECONDS_TO_FETCH = 10

PAGE_SIZES = {
    "A0": (841, 1189), "A1": (594, 841), "A2": (420, 594), "A3": (297, 420),
    "A4": (210, 297), "A5": (148, 210), "A6": (105, 148), "A7": (74, 105),
    "A8": (52, 74), "A9": (37, 52), "B0": (1000, 1414), "B1": (707, 1000),
    "B2": (500, 707), "B3": (353, 500), "B4": (250, 353), "B5": (176, 250),
    "B6": (125, 176), "B7": (88, 125), "B8": (62, 88), "B9": (44, 62),
    "B10": (31, 44), "C5E": (163, 229), "COMM10E": (105, 241), "DLE": (110, 220),
    "EXECUTIVE": (190.5, 254), "FOLIO": (210, 330), "LEDGER": (431.8, 279.4),
    "LEGAL": (215.9, 355.6), "LETTER": (215.9, 279.4), "TABLOID": (279.4, 431.8),
}  # fmt: skip
"""Width and height in millimetres, as Qt knows them."""

FLAGS = {
    "--disable-local-file-access", "--quiet", "-q", "--header-line", "--footer-line",
    "--disable-smart-shrinking", "--enable-local-file-access", "--no-outline",
    "--print-media-type", "--disable-javascript",
}  # fmt: skip
"""Options without a value; every other one has one."""

# WebKit laid pages out a quarter wider than the paper and shrank them to fit.
SHRINK = 1.25

UNITS = {"mm": 1.0, "cm": 10.0, "in": 25.4, "pt": 25.4 / 72, "px": 25.4 / 96}


@dataclasses.dataclass
class Options:
    """What the call asks for; lengths in millimetres of paper."""

    width: float = 210.0
    height: float = 297.0
    margins: tuple[float, float, float, float] = (10.0, 10.0, 10.0, 10.0)
    header: str = ""
    footer: str = ""
    header_spacing: float = 0.0
    header_line: bool = False
    cookie_jar: str = ""
    scale: float = 1 / SHRINK
    bodies: list[str] = dataclasses.field(default_factory=list)
    output: str = "-"


def millimetres(text):
    """A length with a unit, millimetres where it has none."""
    match = re.fullmatch(r"\s*(-?[\d.]+)\s*([a-z]*)\s*", text.lower())
    if not match:
        raise ValueError(f"{text!r} is no length")
    return float(match[1]) * UNITS[match[2] or "mm"]


def split_arguments(argv):
    """Options as a dictionary, and the names of files."""
    values, files = {}, []
    arguments = iter(argv)
    for argument in arguments:
        if argument in FLAGS:
            values[argument] = "yes"
        elif argument.startswith("-") and argument != "-":
            values[argument] = next(arguments, "")
        else:
            files.append(argument)
    return values, files


def parse_arguments(argv):
    """Read a command line of wkhtmltopdf.

    :raise ValueError: where it makes no sense
    """
    values, files = split_arguments(argv)
    if len(files) < 2:
        raise ValueError("a document and an output file are needed")
    width, height = page_size(values)
    margins = tuple(
        millimetres(values.get(f"--margin-{side}", "10"))
        for side in ("top", "right", "bottom", "left")
    )
    return Options(
        width=width,
        height=height,
        margins=margins,
        header=values.get("--header-html", ""),
        footer=values.get("--footer-html", ""),
        header_spacing=millimetres(values.get("--header-spacing", "0")),
        header_line="--header-line" in values,
        cookie_jar=values.get("--cookie-jar", ""),
        scale=scale_of(values),
        bodies=files[:-1],
        output=files[-1],
    )


def page_size(values):
    """Width and height of the paper, turned as asked."""
    name = values.get("--page-size", "A4").upper()
    width, height = PAGE_SIZES.get(name, PAGE_SIZES["A4"])
    width = millimetres(values.get("--page-width", str(width)))
    height = millimetres(values.get("--page-height", str(height)))
    if values.get("--orientation", "").lower() == "landscape":
        return height, width
    return width, height


def scale_of(values):
    """How large a pixel is on paper, compared with the 96th of an inch."""
    dpi = float(values.get("--dpi", "96"))
    zoom = float(values.get("--zoom", "1"))
    shrink = 1.0 if "--disable-smart-shrinking" in values else SHRINK
    return zoom * dpi / 96 / shrink


# --- style sheets ---------------------------------------------------------------------

WIDTH = re.compile(r"\(\s*(min|max)-width\s*:\s*([\d.]+)(px|em|rem)\s*\)")


def resolve_media(css, width):
    """Decide the conditions on the width, which WeasyPrint takes for unmet.

    :param float width: of the page, in pixels
    """

    def holds(match):
        limit = float(match[2]) * (1 if match[3] == "px" else 16)
        met = width >= limit if match[1] == "min" else width <= limit
        return "" if met else "never"

    def decide(match):
        condition = WIDTH.sub(holds, match[1])
        if "never" in condition:
            return "@media never{"
        words = [word for word in re.split(r"\s+and\s+|\s+", condition) if word]
        return f"@media {' and '.join(words) or 'all'}{{"

    return re.sub(r"@media([^{]*-width[^{]*)\{", decide, css)


FONT_FACE = re.compile(r"@font-face\s*\{[^}]*\}")
FAMILY = re.compile(r"font-family\s*:\s*([^;}!]+)")


def drop_unused_fonts(css):
    """Leave out fonts of other sites, and those that no rule asks for.

    A browser loads a font when a text needs it, WeasyPrint loads each that is named.
    """
    families = {
        name.strip(" \"'").lower()
        for value in FAMILY.findall(FONT_FACE.sub("", css))
        for name in value.split(",")
    }

    def keep(match):
        name = FAMILY.search(match[0])
        wanted = name and name[1].strip(" \"'").lower() in families
        foreign = re.search(r"url\(\s*[\"']?(?:https?:)?//", match[0])
        return match[0] if wanted and not foreign else ""

    return FONT_FACE.sub(keep, css)


RULE = re.compile(r"([^{}@;]+)\{[^{}]*\}")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")


def drop_unused_rules(css, classes):
    """Leave out rules for classes that no document has: nearly all of a framework.

    Reading them would take longer than everything else.
    """

    def keep(match):
        selectors = match[1]
        # Conditions in brackets and escaped names are left to who understands them.
        if "(" in selectors or "\\" in selectors:
            return match[0]
        used = any(
            classes.issuperset(CLASS.findall(selector))
            for selector in selectors.split(",")
        )
        return match[0] if used else ""

    return RULE.sub(keep, css)


def page_style(options):
    """The rules for paper, margins, header and footer, in pixels of the page."""
    factor = 1 / options.scale
    top, right, bottom, left = (margin * factor for margin in options.margins)
    above = max(0.0, top - options.header_spacing * factor)
    line = "border-bottom: 1px solid black;" if options.header_line else ""
    box = "width: 100%; vertical-align: top; text-align: start; font: inherit;"
    return f"""
@page {{
  size: {options.width * factor:.3f}mm {options.height * factor:.3f}mm;
  margin: {top:.3f}mm {right:.3f}mm {bottom:.3f}mm {left:.3f}mm;
  @top-left {{ content: element(saas-header); {box} {line}
    padding-top: {above:.3f}mm; }}
  @bottom-left {{ content: element(saas-footer); {box} }}
}}
#saas-header {{ position: running(saas-header); width: 100%; }}
#saas-footer {{ position: running(saas-footer); width: 100%; }}
.saas-page::before {{ content: counter(page); }}
.saas-pages::before {{ content: counter(pages); }}
html {{ height: auto !important; }}
body {{ overflow: visible !important; }}
tr {{ break-inside: avoid; }}
* {{ bookmark-level: none !important; }}
"""


# --- documents ------------------------------------------------------------------------


def part_of(document, index):
    """The header or footer of one body: the one at its place, else the last there is.

    :return: the element to lay on its pages; None if there is none
    """
    for name in ("headers", "footers"):
        found = document.xpath(f"//*[@id='minimal_layout_report_{name}']")
        if found:
            children = [child for child in found[0] if isinstance(child.tag, str)]
            return children[min(index, len(children) - 1)] if children else None
    return document.find("body")


def number_pages(part):
    """Put counters where a script would have written the numbers of pages."""
    for name, counter in (("page", "saas-page"), ("topage", "saas-pages")):
        for element in part.xpath(
            f".//*[contains(concat(' ', normalize-space(@class), ' '), ' {name} ')]"
        ):
            if len(element) == 0:
                element.text = None
                element.set("class", f"{element.get('class')} {counter}")


def keep_folder_title(part):
    """Save the title of Odoo's folder layout from shapes that would not be drawn."""
    for shapes in part.xpath(".//*[contains(@class, 'o_folder_header_container')]"):
        titles = shapes.xpath(".//h2")
        shapes.drop_tree()
        for title in titles:
            title.set("style", "text-align: right; margin-top: 1rem")
            part.append(title)


def assemble(body, header, footer, index):
    """Lay header and footer into the document of a body, for all of its pages."""
    from copy import deepcopy

    from lxml import etree

    target = body.find("body")
    for name, document in (("saas-footer", footer), ("saas-header", header)):
        part = None if document is None else part_of(document, index)
        if part is None:
            continue
        part = deepcopy(part)
        number_pages(part)
        keep_folder_title(part)
        holder = etree.Element("div", id=name)
        holder.set("class", document.find("body").get("class", ""))
        if part.tag == "body":
            part.tag = "div"
        part.tail = None
        holder.append(part)
        target.insert(0, holder)
    for script in body.xpath("//script"):
        script.drop_tree()
    return body


def read_html(path):
    """Parse an HTML file as Odoo writes it."""
    import lxml.html

    with open(path, "rb") as file:
        parser = lxml.html.HTMLParser(encoding="utf-8")
        return lxml.html.document_fromstring(file.read(), parser=parser)


# --- fetching -------------------------------------------------------------------------


def read_cookie(path):
    """The session, ``name=value``, from the cookie file that Odoo writes."""
    if not path:
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read().partition(";")[0].strip()


def local_port():
    """The port on which Odoo answers on this machine."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read(os.environ.get("ODOO_RC", "/etc/odoo/odoo.conf"), encoding="utf-8")
    return parser.get("options", "http_port", fallback="8069")


class Fetcher:
    """Fetches what documents name, each once; only from the web, never from files."""

    def __init__(self, base, cookie, port):
        self.base = base if base.endswith("/") else base + "/"
        self.cookie = cookie
        self.local = f"http://127.0.0.1:{port}/"
        self.failures = []
        self._cache = {}

    def locate(self, url):
        """Where to ask for an address, and whether that is this Odoo."""
        absolute = urllib.parse.urljoin(self.base, url)
        if absolute.startswith(self.base):
            return self.local + absolute[len(self.base) :], True
        return absolute, False

    def __call__(self, url, **_options):
        if url.startswith("data:"):
            from weasyprint import default_url_fetcher

            return default_url_fetcher(url)
        content, mime_type = self.fetch(url)
        return {"string": content, "mime_type": mime_type, "redirected_url": url}

    def fetch(self, url):
        """Content and type of an address.

        :raise ValueError: if it cannot be had; noted in ``failures``
        """
        if url not in self._cache:
            self._cache[url] = self._ask(url)
        answer = self._cache[url]
        if answer is None:
            raise ValueError(f"{url} cannot be had")
        return answer

    def _ask(self, url):
        address, ours = self.locate(url)
        if not address.startswith(("http://", "https://")):
            self.failures.append(f"{url}: not allowed")
            return None
        headers = {"Cookie": self.cookie} if ours and self.cookie else {}
        request = urllib.request.Request(address, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=SECONDS_TO_FETCH
            ) as answer:
                return answer.read(), answer.headers.get_content_type()
        except (OSError, ValueError) as error:
            self.failures.append(f"{url}: {error}")
            return None


class Renderer:
    """Renders bodies one by one, and reads each style sheet once for all of them."""

    def __init__(self, options, fetcher, classes):
        from weasyprint.text.fonts import FontConfiguration

        self._options = options
        self._fetcher = fetcher
        self._fonts = FontConfiguration()
        self._classes = classes
        self._width = options.width / options.scale / 25.4 * 96

    @functools.cache  # noqa: B019 (lives as long as the process)
    def _style(self, url):
        try:
            content, _mime_type = self._fetcher.fetch(url)
        except ValueError:
            return None
        text = content.decode("utf-8", "replace")
        text = drop_unused_rules(resolve_media(text, self._width), self._classes)
        return self._css(drop_unused_fonts(text), url)

    def _css(self, text, url):
        from weasyprint import CSS

        return CSS(
            string=text,
            base_url=urllib.parse.urljoin(self._fetcher.base, url),
            url_fetcher=self._fetcher,
            media_type="screen",
            font_config=self._fonts,
        )

    def _styles(self, document):
        styles = []
        for link in document.xpath("//link[@rel='stylesheet'][@href]"):
            style = self._style(link.get("href"))
            if style is not None:
                styles.append(style)
            link.drop_tree()
        return [*styles, self._css(page_style(self._options), "")]

    def render(self, document):
        """The pages of one body."""
        import lxml.html
        from weasyprint import HTML

        styles = self._styles(document)
        html = HTML(
            string=lxml.html.tostring(document, encoding="unicode"),
            base_url=self._fetcher.base,
            url_fetcher=self._fetcher,
            media_type="screen",
        )
        return html.render(stylesheets=styles, font_config=self._fonts)


def classes_of(documents):
    """All classes that any element has."""
    lists = (
        element.get("class", "")
        for document in documents
        if document is not None
        for element in document.iter("*")
    )
    own = {"saas-page", "saas-pages"}
    return own.union(*(text.split() for text in lists))


def base_address(document):
    """Where the links of a document begin; this machine where it does not say."""
    found = document.xpath("//base/@href")
    return found[0] if found and found[0].startswith("http") else "http://127.0.0.1/"


def add_outline(path, starts):
    """Tell Odoo where each body begins, in the form in which wkhtmltopdf told it."""
    from pypdf import PdfReader, PdfWriter
    from pypdf.generic import (
        ArrayObject,
        DictionaryObject,
        NameObject,
        NumberObject,
        TextStringObject,
    )

    writer = PdfWriter(clone_from=PdfReader(path))
    root = writer._root_object
    destinations, items = DictionaryObject(), []
    for number, start in enumerate(starts, 1):
        name = NameObject(f"/body{number}")
        place = [NumberObject(start), NameObject("/Fit")]
        destinations[name] = ArrayObject(place)
        item = {"/Title": TextStringObject(str(number)), "/Dest": name}
        items.append(DictionaryObject({NameObject(k): v for k, v in item.items()}))
    references = [writer._add_object(item) for item in items]
    outlines = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Outlines"),
            NameObject("/First"): references[0],
            NameObject("/Last"): references[-1],
            NameObject("/Count"): NumberObject(len(items)),
        }
    )
    parent = writer._add_object(outlines)
    for position, item in enumerate(items):
        item[NameObject("/Parent")] = parent
        if position:
            item[NameObject("/Prev")] = references[position - 1]
        if position + 1 < len(items):
            item[NameObject("/Next")] = references[position + 1]
    root[NameObject("/Outlines")] = parent
    root[NameObject("/Dests")] = writer._add_object(destinations)
    with open(path, "wb") as file:
        writer.write(file)


def print_pdf(options):
    """Render all bodies into one PDF.

    :return: what could not be loaded
    """
    documents = [read_html(path) for path in options.bodies]
    header = read_html(options.header) if options.header else None
    footer = read_html(options.footer) if options.footer else None
    fetcher = Fetcher(
        base_address(documents[0]), read_cookie(options.cookie_jar), local_port()
    )
    classes = classes_of([*documents, header, footer])
    renderer = Renderer(options, fetcher, classes)
    pages, starts, first = [], [], None
    for index, document in enumerate(documents):
        rendered = renderer.render(assemble(document, header, footer, index))
        first = first or rendered
        starts.append(len(pages))
        pages += rendered.pages
    first.copy(pages).write_pdf(options.output, zoom=options.scale)
    if len(documents) > 1:
        add_outline(options.output, starts)
    return fetcher.failures


def main(argv):
    """Entry point; the exit status."""
    if "--version" in argv or "-V" in argv:
        sys.stdout.write(VERSION + "\n")
        return 0
    try:
        options = parse_arguments(argv)
    except (ValueError, KeyError) as error:
        sys.stderr.write(f"wkhtmltopdf: {error}\n")
        return 2
    failures = print_pdf(options)
    for failure in failures:
        sys.stderr.write(f"Failed to load {failure}\n")
    return 1 if failures else 0


def leave(status):
    """End at once: taking Pango's fonts down again may crash after the work is done."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def fail(kind, error, trace):
    """End with a status that Odoo takes for a failure: 1 would be a warning to it."""
    traceback.print_exception(kind, error, trace)
    leave(2)


if __name__ == "__main__":
    sys.excepthook = fail
    leave(main(sys.argv[1:]))
