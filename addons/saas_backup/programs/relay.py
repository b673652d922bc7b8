"""Leads connections on from one place to another: ``relay.py FROM TO``.

A place is ``HOST:PORT`` or the path of a socket. Two of them are the only way out of a
throwaway, which has no network: one beside the database server takes what comes through
a socket in the state, and one in the throwaway leads its own loopback there. Neither
reads what it leads on, so that it may be encrypted.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import sys

CHUNK = 65536


def main(source: str, target: str) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(source, target))


async def serve(source: str, target: str) -> None:
    async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await connect(target)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        writer.close()

    if is_path(source):
        # One that was killed leaves its socket behind.
        pathlib.Path(source).unlink(missing_ok=True)
        server = await asyncio.start_unix_server(lead, source)
    else:
        server = await asyncio.start_server(lead, *split(source))
    async with server:
        await server.serve_forever()


async def connect(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if is_path(target):
        return await asyncio.open_unix_connection(target)
    return await asyncio.open_connection(*split(target))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Lead on until one side ends, and then end the other."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def is_path(place: str) -> bool:
    return place.startswith("/")


def split(place: str) -> tuple[str, int]:
    host, _colon, port = place.rpartition(":")
    return host, int(port)


if __name__ == "__main__":
    main(*sys.argv[1:])
