"""A document is printed by the master and by a tenant as people see it on paper."""

import os

import pytest

from .paper import LINES, Paper, report_of_partners
from .web import Session

HEADER = "Address above each page"
FOOTER = "Bank account below each page"


@pytest.fixture(scope="module")
def sessions(master, residents):
    [alfa, _beta] = residents
    link = master.call("saas.tenant", "get_login_url", alfa.id)
    staff = Session(os.environ["SAAS_URL"])
    return {
        "master": staff.log_in("admin", os.environ["SAAS_ADMIN_PASSWORD"]),
        "tenant": Session(alfa.url).follow(link),
    }


@pytest.fixture(scope="module", params=["master", "tenant"])
def printed(request, sessions):
    """(answer, paper) of a long report."""
    session = sessions[request.param]
    with report_of_partners(session, HEADER, FOOTER) as report:
        answer = session.get(f"{session.url}/report/pdf/{report}/1", timeout=120)
    assert answer.status_code == 200, answer.text[:500]
    assert answer.content.startswith(b"%PDF"), answer.content[:200]
    return answer, Paper(answer.content)


def test_it_is_a_pdf_of_several_pages_with_all_of_its_text(printed):
    answer, paper = printed
    assert answer.headers["Content-Type"] == "application/pdf"
    assert len(paper.pages) >= 3
    text = " ".join(paper.texts)
    assert "Title of the paper" in text
    assert [line for line in range(LINES) if f"Line {line} of" not in text] == []


def test_header_and_footer_are_on_each_page_with_its_number(printed):
    _answer, paper = printed
    total = len(paper.pages)
    for number, text in enumerate(paper.texts, 1):
        assert HEADER in text
        assert FOOTER in text
        assert f"Page {number} / {total}" in text


def test_the_styles_are_loaded(printed):
    _answer, paper = printed
    assert any(font.startswith("Lato") for font in paper.fonts), paper.fonts
    reds = [c for c in paper.colors if c[0] > 0.6 and c[1] < 0.4 and c[2] < 0.4]
    assert reds, paper.colors


def test_it_is_a_sheet_of_a4(printed):
    _answer, paper = printed
    for page in paper.pages:
        assert abs(float(page.mediabox.width) - 595) < 3
        assert abs(float(page.mediabox.height) - 842) < 3


def test_many_documents_are_one_file_with_pages_of_their_own(sessions):
    session = sessions["tenant"]
    partners = session.call("res.partner", "search", [], limit=2)
    assert len(partners) == 2
    ids = ",".join(map(str, partners))
    with report_of_partners(session, HEADER, FOOTER) as report:
        answer = session.get(f"{session.url}/report/pdf/{report}/{ids}", timeout=120)
    texts = Paper(answer.content).texts
    assert len(texts) >= 6
    assert sum("Title of the paper" in text for text in texts) == 2
    assert all(FOOTER in text for text in texts)


def test_a_visitor_prints_nothing(residents):
    url = residents[0].url
    answer = Session(url).get(
        f"{url}/report/pdf/base.report_irmodeloverview/1", timeout=60
    )
    assert "/web/login" in answer.url
    assert not answer.content.startswith(b"%PDF")
