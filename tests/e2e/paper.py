"""A document of two pages and more, laid out as Odoo lays out all of its reports."""

from __future__ import annotations

import contextlib
import io
import secrets

import pypdf

LINES = 120
ARCH = """
<t t-name="{key}">
  <t t-call="web.html_container"><t t-foreach="docs" t-as="o">
    <t t-call="web.external_layout">
      <div class="page">
        <h1 class="text-danger">Title of the paper</h1>
        <p class="ps-5">Indented text</p>
        <p t-foreach="range({lines})" t-as="line">Line <t t-out="line"/> of
          <span t-field="o.name"/></p>
      </div>
    </t>
  </t></t>
</t>
"""


@contextlib.contextmanager
def report_of_partners(session, header, footer):
    """Have a report with that header and footer; gives its name."""
    key = f"e2e.paper_{secrets.token_hex(4)}"
    arch = ARCH.format(key=key, lines=LINES)
    values = {"type": "qweb", "key": key, "name": key, "arch": arch}
    [view] = session.call("ir.ui.view", "create", [values])
    values = {"name": key, "model": "res.partner", "report_type": "qweb-pdf"}
    [report] = session.call(
        "ir.actions.report", "create", [{**values, "report_name": key}]
    )
    company = [1]
    fields = ["company_details", "report_footer"]
    [before] = session.call("res.company", "read", company, fields)
    values = {"company_details": header, "report_footer": footer}
    session.call("res.company", "write", company, values)
    try:
        yield key
    finally:
        before.pop("id")
        session.call("res.company", "write", company, before)
        session.call("ir.actions.report", "unlink", [report])
        session.call("ir.ui.view", "unlink", [view])


class Paper:
    """A PDF as one sees it."""

    def __init__(self, data):
        self.pages = pypdf.PdfReader(io.BytesIO(data)).pages

    @property
    def texts(self):
        return [" ".join(page.extract_text().split()) for page in self.pages]

    @property
    def fonts(self):
        """Names of the embedded fonts, without the tag of their subset."""
        return {
            str(font.get_object()["/BaseFont"]).rpartition("+")[2].strip("/")
            for page in self.pages
            for font in page["/Resources"]["/Font"].values()
        }

    @property
    def colors(self):
        """The colours that anything is filled with, as (red, green, blue)."""
        return {
            tuple(round(float(value), 2) for value in values)
            for page in self.pages
            for values, operator in page.get_contents().operations
            if operator in (b"rg", b"scn", b"sc") and len(values) == 3
        }
