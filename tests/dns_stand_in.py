"""A DNS server with the few records that a test gives it, on a port of this machine."""

from __future__ import annotations

import contextlib
import socketserver
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SECONDS = 1


class Server(socketserver.ThreadingUDPServer):
    """Answers what it knows, says of all else that it is not there.

    :param records: texts by name and type, e.g. ``{("a.example", "A"): ["127.0.0.1"]}``
    """

    daemon_threads = True

    def __init__(self, records, host):
        super().__init__((host, 0), Question)
        self.records = records
        self.asked = []
        self.broken = False

    @property
    def address(self):
        host, port = self.server_address
        return f"{host}:{port}"


class Question(socketserver.BaseRequestHandler):
    def handle(self):
        data, connection = self.request
        query = dns.message.from_wire(data)
        [question] = query.question
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.server.asked.append((name, kind))
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        found = self.server.records.get((name, kind))
        if self.server.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            answer.answer.append(
                dns.rrset.from_text_list(question.name, SECONDS, "IN", kind, found)
            )
        elif not any(known == name for known, _kind in self.server.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        connection.sendto(answer.to_wire(), self.client_address)


@contextlib.contextmanager
def serve(records, host="127.0.0.1"):
    with Server(records, host) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
