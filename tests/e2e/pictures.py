"""How a page looks and whether everybody can use it, on a phone and on a desk."""

from __future__ import annotations

import io
import pathlib

from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops

from .desk import DESK, PHONE

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "docs" / "screenshots"
COLORS = 128
# Colours differ a little each time, and dates and durations do: a picture is replaced
# when more than this share of it looks different.
SAME_SHADE = 24
SAME_SHARE = 0.004

AXE = Axe()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
BAD = ("serious", "critical")
# Markup of Odoo's own in our pages: (rule, what it is told by) and what is wrong.
NOT_OURS = {
    ("link-in-text-block", "odoo.com"): "Powered by Odoo, in the footer: no underline",
    ("button-name", "o_show_password"): "the eye beside a password has no name",
    ("button-name", "border-end dropdown-toggle"): "what the portal searches in",
    ("button-name", "oi oi-search"): "the glass of the portal's search",
    ("role-img-alt", "fa fa-fw fa-lg"): "the clock of activities, on a card",
    ("image-alt", "/static/src/img/"): "icons beside their words on /my",
    ("image-alt", "/avatar_128"): "who asked for it, on a card",
    ("color-contrast", 'rounded-pill text-bg-success">'): "badges on a card: white on",
    ("color-contrast", 'rounded-pill text-bg-info">'): "green and on light blue",
}


IS_WHOLE = """() => document.fonts.status === "loaded"
    && !document.querySelector(".o_loading_indicator, .fa-spin")
    && [...document.images].every((image) => image.complete || image.loading === "lazy")
"""
# As far down as there is anything of ours (the footer is not), and not endless.
HEIGHT = """() => {
    const main = document.querySelector("main");
    const bottom = main ? main.getBoundingClientRect().bottom + window.scrollY : 0;
    return Math.min(2000, Math.max(window.innerHeight, Math.ceil(bottom)));
}"""


class Gallery:
    """Takes pictures of pages, and notes what is wrong with them.

    :param within: selectors of the parts in which to look for what keeps people out;
        without them, on the whole page
    """

    def __init__(self, *, within=()):
        self.within = within
        self.flaws = []

    def take(self, page, name):
        """The page on a phone and on a desk: does it fit, can everybody use it?"""
        for size in (PHONE, DESK):
            page.set_viewport_size(size)
            self.take_as_it_is(page, name)

    def take_as_it_is(self, page, name):
        """The page at the size that it has."""
        page.wait_for_function(IS_WHOLE)
        width = page.viewport_size["width"]
        file = f"{name}-{width}.png"
        clip = {"x": 0, "y": 0, "width": width, "height": page.evaluate(HEIGHT)}
        picture = page.screenshot(full_page=True, clip=clip, animations="disabled")
        save(FOLDER / file, picture)
        found = page.evaluate("document.documentElement.scrollWidth")
        if found > width:
            self.flaws.append(f"{file} scrolls sideways: it is {found} px wide")
        barriers = find_barriers(page, self.within)
        self.flaws += [f"{file}: {barrier}" for barrier in barriers]


def save(path, picture):
    """Write a picture in few colours, unless the one there looks the same."""
    new = Image.open(io.BytesIO(picture)).convert("RGB")
    if path.exists() and is_same(Image.open(path).convert("RGB"), new):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new.quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


def is_same(old, new):
    if old.size != new.size:
        return False
    difference = ImageChops.difference(old, new).convert("L")
    other = sum(difference.histogram()[SAME_SHADE:])
    return other / (new.width * new.height) < SAME_SHARE


def find_barriers(page, within=()):
    """What keeps people out who cannot see or use a mouse well, a line for each."""
    parts = [part for part in within if page.locator(part).count()]
    if within and not parts:
        return []
    context = {"include": [[part] for part in parts]} if parts else None
    return [
        f"{violation['id']}: {node['target']} {node['html'][:160]}"
        for violation in AXE.run(page, context, RULES).response["violations"]
        for node in violation["nodes"]
        if violation["impact"] in BAD and not is_known(violation["id"], node)
    ]


def is_known(rule, node):
    return any(rule == known and element in node["html"] for known, element in NOT_OURS)
