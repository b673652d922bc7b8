"""Fills a tenant until it is as large as one that has been used for years.

It runs in a container beside the tenant's data, as ``fill.py WHAT UID``, and finds the
database by libpq's variables. ``database`` adds partners, messages and attachments with
their texts, ``files`` lays down a filestore, and ``change`` replaces one file in a
hundred.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import os
import pathlib
import random
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import psycopg2
from psycopg2 import sql

DATABASE_SIZE = 2**30
FILES = 10_000
FILE_SIZE = 2**30 // FILES
CHANGED = FILES // 100
BATCH = 20_000
NAME = "bench"

# Some words are written often and most of them seldom, as in any text.
WORDS = [hashlib.md5(b"%d" % n).hexdigest()[: 2 + n % 9] for n in range(20_000)]
WEIGHTS = list(itertools.accumulate(1 / (n + 10) for n in range(len(WORDS))))


def main(what: str, uid: str) -> None:
    random.seed(19)
    connection = psycopg2.connect(dbname=uid)
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        if what == "database":
            fill_database(cursor)
        else:
            filestore = pathlib.Path("/var/lib/odoo/filestore", uid)
            if what == "change":
                remove_files(cursor, filestore)
            add_files(cursor, filestore, FILES if what == "files" else CHANGED)


# === DATABASE === #


def fill_database(cursor: Any) -> None:
    while find_size(cursor) < DATABASE_SIZE:
        partners = [
            {
                "name": text(3).title(),
                "email": f"{text(1)}@example.com",
                "street": text(4),
            }
            for _number in range(BATCH // 10)
        ]
        messages = [
            {
                "model": "res.partner",
                "res_id": 3,
                "subject": text(6),
                "body": f"<p>{text(40)}</p><p>{text(30)}<br/>--<br/>{text(4)}</p>",
                "message_id": f"<{random.getrandbits(96):x}.openerp@example.com>",
            }
            for _number in range(BATCH)
        ]
        attachments = [
            {"name": f"{text(2)}.pdf", "type": "url", "index_content": text(150)}
            for _number in range(BATCH // 4)
        ]
        add_rows(cursor, "res_partner", partners)
        add_rows(cursor, "mail_message", messages)
        add_rows(cursor, "ir_attachment", attachments)
    cursor.execute("VACUUM ANALYZE")


def find_size(cursor: Any) -> int:
    cursor.execute("SELECT pg_database_size(current_database())")
    return int(cursor.fetchone()[0])


def text(words: int) -> str:
    return " ".join(random.choices(WORDS, cum_weights=WEIGHTS, k=words))


def add_rows(cursor: Any, table: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Add rows that have what one that is there has, where they do not say more."""
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
        " AND attnotnull AND NOT atthasdef AND attnum > 0",
        (table,),
    )
    needed = [name for (name,) in cursor.fetchall()]
    cursor.execute(
        sql.SQL("SELECT {} FROM {} LIMIT 1").format(
            sql.SQL(", ").join(map(sql.Identifier, needed)), sql.Identifier(table)
        )
    )
    common = dict(zip(needed, cursor.fetchone(), strict=True))
    filled = [{**common, **row} for row in rows]
    lines = ("\t".join(map(str, row.values())) + "\n" for row in filled)
    cursor.copy_expert(
        sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, filled[0]))
        ),
        io.StringIO("".join(lines)),
    )


# === FILES === #


def add_files(cursor: Any, filestore: pathlib.Path, count: int) -> None:
    """Add attachments that cannot be compressed, as pictures cannot."""
    rows = []
    for _number in range(count):
        content = os.urandom(FILE_SIZE)
        name = hashlib.sha1(content).hexdigest()
        path = filestore / name[:2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        rows.append(
            {
                "name": NAME,
                "type": "binary",
                "store_fname": f"{name[:2]}/{name}",
                "checksum": name,
                "file_size": FILE_SIZE,
            }
        )
    add_rows(cursor, "ir_attachment", rows)


def remove_files(cursor: Any, filestore: pathlib.Path) -> None:
    cursor.execute(
        "DELETE FROM ir_attachment WHERE id IN (SELECT id FROM ir_attachment"
        " WHERE name = %s ORDER BY id LIMIT %s) RETURNING store_fname",
        (NAME, CHANGED),
    )
    for (place,) in cursor.fetchall():
        filestore.joinpath(place).unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
