"""The script of an archive: what is a statement and what are rows is never mistaken."""

from __future__ import annotations

import pytest

from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas_backup.engine import script
from odoo.addons.saas_backup.engine.script import Rows, Script

HEAD = """--
-- PostgreSQL database dump
--

\\restrict Zx81

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);

"""
# Each holds what would be the beginning of rows, if it were not within quotes.
FUNCTION = """CREATE FUNCTION public.f() RETURNS text
    LANGUAGE plpgsql
    AS $_$
-- it's "odd
COPY public.a (b) FROM stdin;
\\! rm -rf /
SELECT $$ x $$;
\\.
$_$;
"""
COMMENT = """COMMENT ON TABLE public.a IS 'it''s
--
-- Data for Name: b; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.b (c) FROM stdin;
\\.
';
"""
ATOMIC = """CREATE FUNCTION public.g() RETURNS integer
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT 1;
 SELECT 2;
END;
"""
TABLE = """CREATE TABLE public."it's
COPY x FROM stdin;
" (
    id integer DEFAULT '-1'::integer,
    CONSTRAINT c CHECK ((id)::text ~ E'^\\\\d+$')
);
"""
STATEMENTS = f"{FUNCTION}{COMMENT}{ATOMIC}{TABLE}"
NAME = """"it's
COPY x FROM stdin;
\""""
ROWS = "1\t$$ 'open\n\\\\.\t\\\\.\n2\t\\N\n-- no comment\nCOPY x FROM stdin;\n"
END = """SELECT pg_catalog.setval('public.s', 41, true);
ALTER TABLE ONLY public.a
    ADD CONSTRAINT a_pkey PRIMARY KEY (id);
"""
SCRIPT = (
    f"{HEAD}{STATEMENTS}"
    "--\n-- Data for Name: it's COPY x FROM stdin; ; Type: TABLE DATA; Owner: -\n--\n\n"
    f"COPY public.{NAME} (id) FROM stdin;\n{ROWS}\\.\n\n\n"
    "COPY public.empty (id) FROM stdin;\n\\.\n\n\n"
    f"--\n-- Name: s; Type: SEQUENCE SET\n--\n\n{END}\n\\unrestrict Zx81\n"
)


def parts_of(text, size):
    data = text.encode()
    return (data[i : i + size] for i in range(0, len(data), size))


def read(text, size=10**6):
    """All statements and all rows, in their order."""
    found = []
    for part in Script(parts_of(text, size)):
        if isinstance(part, Rows):
            rows = b"".join(iter(part.read, b"")).decode()
            found.append((part.statement, rows))
        else:
            found.append("\n".join(part.split("\n\n")).strip("\n"))
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 10**6])
def test_statements_and_rows_are_told_apart_wherever_they_are_cut(size):
    first, copied, empty, last = read(SCRIPT, size)
    assert first.endswith(STATEMENTS.replace("\n\n", "\n").strip("\n"))
    assert copied == (f"COPY public.{NAME} (id) FROM stdin;\n", ROWS)
    assert empty == ("COPY public.empty (id) FROM stdin;\n", "")
    assert last == END.strip("\n")


def test_no_command_of_psql_is_among_them():
    first, *_others, last = read(SCRIPT)
    for text in (first.replace(FUNCTION, "").replace(COMMENT, ""), last):
        assert "\\restrict" not in text and "\\unrestrict" not in text


def test_many_statements_go_in_blocks_that_end_where_a_statement_does(monkeypatch):
    monkeypatch.setattr(script, "BLOCK", 100)
    statement = f"--\n-- Name: f\n--\n\n{FUNCTION}\n\n"
    blocks = read(statement * 10 + END * 10)
    assert len(blocks) > 10
    for block in blocks:
        assert block.endswith(";")
        assert block.startswith(("CREATE", "SELECT"))
        assert block.count("$_$") % 2 == 0


@pytest.mark.parametrize("end", ["1\n", "1\n\\", "1\n\\.", "1"])
def test_rows_that_do_not_end_are_refused(end):
    with pytest.raises(RefusedError, match="ends within a table"):
        read(f"COPY public.a (b) FROM stdin;\n{end}")


def test_what_cannot_be_read_is_told_as_it_is():
    def cut():
        yield b"COPY public.a (b) FROM stdin;\n1\n"
        raise RefusedError("It is damaged.", reason="damaged")

    [rows] = [part for part in _first(Script(cut())) if isinstance(part, Rows)]
    with pytest.raises(RefusedError, match="damaged"):
        b"".join(iter(rows.read, b""))
    assert rows.fault.reason == "damaged"


def _first(parts):
    yield next(iter(parts))
