import json

from werkzeug.exceptions import NotFound

from odoo import http
from odoo.http import request

from odoo.addons.saas.engine.errors import RefusedError

from ..engine import certificate
from ..models.saas_certificate_mixin import PUBLIC_PATH

ROUTE = {
    "type": "http",
    "auth": "public",
    "methods": ["GET"],
    "website": True,
    "sitemap": False,
    "readonly": True,
}
CERTIFIED = ("saas.drill", "saas.erasure")
# Neither kept by others nor found by search: the link is for whom it was given to.
HEADERS = [("Cache-Control", "no-store"), ("X-Robots-Tag", "noindex")]


class CertificateCheck(http.Controller):
    """Where anybody who holds a certificate sees whether it is what we said."""

    @http.route(f"{PUBLIC_PATH}/<string:token>", **ROUTE)
    def verify(self, token, **_kwargs):
        record = self._find(token)
        response = request.render(
            "saas_backup.verify",
            {
                "record": record,
                "authentic": record._is_authentic(),
                "signed": record._get_signed_values(),
            },
        )
        response.headers.extend(HEADERS)
        return response

    @http.route(f"{PUBLIC_PATH}/<string:token>/certificate.json", **ROUTE)
    def download(self, token, **_kwargs):
        record = self._find(token)
        values = json.dumps(record._export_certificate(), indent=1, ensure_ascii=False)
        name = f"{record.name}.json"
        headers = [
            ("Content-Type", "application/json; charset=utf-8"),
            ("Content-Disposition", http.content_disposition(name)),
        ]
        return request.make_response(values, [*headers, *HEADERS])

    @http.route("/saas/certificate-key.pem", **ROUTE)
    def key(self, **_kwargs):
        public = request.env["saas.certificate.mixin"]._get_public_key()
        try:
            pem = certificate.public_pem(public)
        except RefusedError as error:
            raise NotFound() from error
        return request.make_response(pem, [("Content-Type", "application/x-pem-file")])

    def _find(self, token):
        for model in CERTIFIED:
            record = request.env[model]._find_by_token(token)
            if record.content:
                return record
        raise NotFound()
