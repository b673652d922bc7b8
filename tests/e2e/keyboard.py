"""Somebody who has no mouse."""

from __future__ import annotations

TABS = 80
# What a browser, or a style of ours, draws around what has the focus.
HAS_RING = """() => {
    const style = getComputedStyle(document.activeElement);
    const outline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return outline || style.boxShadow !== "none";
}"""


class Keyboard:
    """Uses a page by its keys alone.

    :param ours: a selector of what must show that it has the focus
    """

    def __init__(self, page, ours="body"):
        self.page = page
        self.ours = ours

    def go_to(self, target):
        """By the tabulator only; one sees all the way what has the focus."""
        for _each in range(TABS):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
            where = self.page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
            is_ours = "ours => !!document.activeElement.closest(ours)"
            if self.page.evaluate(is_ours, self.ours):
                assert self.page.evaluate(HAS_RING), where
        raise AssertionError(f"{target} cannot be reached by the tabulator")

    def type(self, label, text):
        self.go_to(self.page.get_by_label(label, exact=True))
        self.page.keyboard.type(text)

    def press(self, role, name):
        self.go_to(self.page.get_by_role(role, name=name, exact=True))
        self.page.keyboard.press("Enter")
