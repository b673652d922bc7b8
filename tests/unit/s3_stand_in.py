"""A small S3 service of our own that can go wrong in every way that is asked of it.

It knows no checksums, as some compatible services do not, and it does not look at
signatures. Faults are set while it runs; bytes that came in are counted.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import http.server
import ipaddress
import re
import ssl
import tempfile
import threading
import time
import urllib.parse
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BUCKET = "copies"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclasses.dataclass
class Faults:
    """What goes wrong; nothing by default.

    :param answers: status and code of the next answers, by method (``*`` for any);
        None as a status answers as it should
    :param bool forever: they go on when they have all been given
    :param float seconds: it waits so long before each answer
    :param int cut_upload: it closes the connection after so many bytes of a body
    :param int cut_download: the same, for what it sends
    :param int cuts: how often it cuts
    :param bool flip: it turns over one bit of whatever it stores
    :param int room: bytes that it has room for
    """

    answers: list = dataclasses.field(default_factory=list)
    forever: bool = True
    only: str = "*"
    seconds: float = 0.0
    cut_upload: int = 0
    cut_download: int = 0
    cuts: int = 10**6
    flip: bool = False
    room: int = 10**12


class StandIn:
    """The service; ``with StandIn() as s3``."""

    def __init__(self, *, tls: bool = False, host: str = "127.0.0.1") -> None:
        self.faults = Faults()
        self.objects: dict[str, bytes] = {}
        self.times: dict[str, float] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.requests: list[tuple[str, str]] = []
        self.received = 0
        self.lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"service": self})
        self.server = http.server.ThreadingHTTPServer((host, 0), handler)
        self.server.daemon_threads = True
        scheme, self.ca = "http", ""
        if tls:
            scheme, self.ca = "https", self._use_tls(host)
        self.url = f"{scheme}://{host}:{self.server.server_port}"

    def _use_tls(self, host: str) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
        now = datetime.datetime.now(datetime.UTC)
        address = x509.IPAddress(ipaddress.ip_address(host))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            file.write(pem + private)
            file.flush()
            context.load_cert_chain(file.name)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        return pem.decode()

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def count(self, method: str) -> int:
        return sum(found == method for found, __ in self.requests)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: StandIn

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError):
            self.close_connection = True

    def _serve(self):
        service, method = self.service, self.command
        place, __, query = self.path.partition("?")
        self.query = {
            name: values[0]
            for name, values in urllib.parse.parse_qs(
                query, keep_blank_values=True
            ).items()
        }
        bucket, __, self.key = urllib.parse.unquote(place).lstrip("/").partition("/")
        with service.lock:
            service.requests.append((method, self.key))
        body = self._read_body()
        if body is None:
            return
        time.sleep(service.faults.seconds)
        status, code = self._fault()
        if status:
            self._answer_error(status, code)
        elif bucket != BUCKET:
            self._answer_error(404, "NoSuchBucket")
        else:
            with service.lock:
                getattr(self, f"_{method.lower()}")(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _fault(self):
        faults = self.service.faults
        if not faults.answers or faults.only not in ("*", self.command):
            return None, ""
        if faults.forever and len(faults.answers) == 1:
            return faults.answers[0]
        return faults.answers.pop(0)

    def _read_body(self):
        """The body of the request; None when the connection is to be cut."""
        faults, length = self.service.faults, int(self.headers["Content-Length"] or 0)
        if self.headers.get("Expect", "").lower() == "100-continue":
            pass  # the base class has answered
        cut = faults.cut_upload and length > faults.cut_upload and faults.cuts > 0
        body = self.rfile.read(faults.cut_upload if cut else length)
        with self.service.lock:
            self.service.received += len(body)
        if cut:
            faults.cuts -= 1
            self.close_connection = True
            return None
        return body

    def _answer(self, status=200, body=b"", headers=(), cut=0):
        self.send_response(status)
        headers = dict(headers)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut] if cut else body)
        if cut:
            self.wfile.flush()
            self.close_connection = True

    def _answer_xml(self, name, inner, status=200):
        text = f'<{name} xmlns="{_NAMESPACE}">{inner}</{name}>'
        self._answer(status, text.encode(), {"Content-Type": "application/xml"})

    def _answer_error(self, status, code):
        # Real ones tell the right region in a header.
        headers = {"x-amz-bucket-region": "eu-central-1"} if status == 301 else {}
        text = f"<Error><Code>{code}</Code><Message>It says {code}</Message></Error>"
        self._answer(status, b"" if self.command == "HEAD" else text.encode(), headers)

    # --- verbs

    def _put(self, body):
        service = self.service
        if service.faults.flip and body:
            middle = len(body) // 2
            flipped = bytes([body[middle] ^ 4])
            body = body[:middle] + flipped + body[middle + 1 :]
        used = sum(map(len, service.objects.values()))
        used += sum(
            len(p) for parts in service.uploads.values() for p in parts.values()
        )
        if used + len(body) > service.faults.room:
            self._answer_error(507, "XMinioStorageFull")
            return
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        if "uploadId" in self.query:
            parts = service.uploads.get(self.query["uploadId"])
            if parts is None:
                self._answer_error(404, "NoSuchUpload")
                return
            parts[int(self.query["partNumber"])] = body
        else:
            self._store(body)
        self._answer(headers={"ETag": tag})

    def _store(self, body):
        self.service.objects[self.key] = body
        self.service.times[self.key] = time.time()

    def _post(self, body):
        service = self.service
        if "uploads" in self.query:
            upload = f"u{len(service.requests)}"
            service.uploads[upload] = {}
            self._answer_xml(
                "InitiateMultipartUploadResult",
                f"<Bucket>{BUCKET}</Bucket><Key>{escape(self.key)}</Key>"
                f"<UploadId>{upload}</UploadId>",
            )
            return
        numbers = re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)
        parts = service.uploads.pop(self.query["uploadId"])
        self._store(b"".join(parts[int(number)] for number in numbers))
        self._answer_xml(
            "CompleteMultipartUploadResult",
            f"<Bucket>{BUCKET}</Bucket><Key>{escape(self.key)}</Key><ETag>x</ETag>",
        )

    def _delete(self, body):
        if "uploadId" in self.query:
            self.service.uploads.pop(self.query["uploadId"], None)
        else:
            self.service.objects.pop(self.key, None)
        self._answer(204)

    def _head(self, body):
        self._get(body)

    def _get(self, body):
        if not self.key:
            self._list()
            return
        data = self.service.objects.get(self.key)
        if data is None:
            self._answer_error(404, "NoSuchKey")
            return
        stamp = time.gmtime(self.service.times[self.key])
        headers = {
            "ETag": f'"{hashlib.md5(data).hexdigest()}"',
            "Last-Modified": time.strftime("%a, %d %b %Y %H:%M:%S GMT", stamp),
        }
        status = 200
        if found := re.match(r"bytes=(\d+)-", self.headers.get("Range", "")):
            status, data = 206, data[int(found[1]) :]
        faults = self.service.faults
        cut = faults.cut_download if self.command == "GET" and faults.cuts > 0 else 0
        if cut and len(data) > cut:
            faults.cuts -= 1
            self._answer(status, data, headers, cut)
        else:
            self._answer(status, data, headers)

    def _list(self):
        if "uploads" in self.query:
            rows = "".join(
                f"<Upload><Key>x</Key><UploadId>{upload}</UploadId>"
                "<Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>"
                for upload in self.service.uploads
            )
            self._answer_xml("ListMultipartUploadsResult", rows)
            return
        prefix = self.query.get("prefix", "")
        after = self.query.get("continuation-token", "")
        keys = [
            key
            for key in sorted(self.service.objects)
            if key.startswith(prefix) and key > after
        ]
        # Small pages, so that whoever reads only the first one is found out.
        limit = min(int(self.query.get("max-keys", 1000)), 3)
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key>"
            f"<Size>{len(self.service.objects[key])}</Size>"
            f"<LastModified>{_iso(self.service.times[key])}</LastModified></Contents>"
            for key in keys[:limit]
        )
        more = len(keys) > limit
        rows += f"<IsTruncated>{str(more).lower()}</IsTruncated>"
        if more:
            last = keys[limit - 1]
            rows += f"<NextContinuationToken>{last}</NextContinuationToken>"
        self._answer_xml("ListBucketResult", rows)


def _iso(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
