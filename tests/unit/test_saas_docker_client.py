"""What the Docker SDK raises, as the two kinds of error."""

from __future__ import annotations

import socket
import ssl

import pytest
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_docker.engine.client import (
    find,
    make_ssl_context,
    translate_errors,
)

URL = "tcp://engine:2376"


def _translate(error, cause=None):
    kinds = (RetryableError, RefusedError)
    with pytest.raises(kinds) as caught, translate_errors(URL, "Container saas-t1"):
        raise error from cause
    return caught.value


def _answer(status, explanation, kind=APIError):
    response = requests.Response()
    response.status_code = status
    return kind("failed", response=response, explanation=explanation)


@pytest.mark.parametrize(
    ("status", "explanation", "kind", "reason"),
    [
        (404, "No such image: saas-odoo:19.0", RefusedError, "image_missing"),
        (500, "write /x: no space left on device", RetryableError, "disk_full"),
        (
            403,
            "Pool overlaps with other one on this address space",
            RefusedError,
            "subnet_taken",
        ),
        (403, "Address already in use", RetryableError, "address_taken"),
        (
            500,
            "no available IPv4 addresses on this network's address pools",
            RefusedError,
            "no_room",
        ),
        (
            500,
            "adding interface veth1 to bridge saas0 failed: exchange full",
            RefusedError,
            "no_room",
        ),
        (404, "network saas_tenants not found", RefusedError, "network_missing"),
        (500, "unable to find user odoo: no match", RefusedError, "image_unusable"),
        (400, "OCI runtime create failed: exec", RefusedError, "image_unusable"),
        (400, "Client sent an HTTP request to an HTTPS server.", RefusedError, "tls"),
        (401, "authorization denied", RefusedError, "permission"),
        (403, "authorization denied", RefusedError, "permission"),
        (404, "No such container: x", RefusedError, "absent"),
        (409, "Conflict. The name is already in use", RetryableError, "busy"),
        (409, "removal is already in progress", RetryableError, "busy"),
        (400, "invalid reference format", RefusedError, "bad_request"),
        (500, "something broke", RetryableError, "engine_failed"),
        (503, "starting", RetryableError, "engine_failed"),
    ],
)
def test_an_answer_is_told_by_what_can_be_done(status, explanation, kind, reason):
    error = _translate(_answer(status, explanation))
    assert (type(error), error.reason) == (kind, reason)
    assert error.message.endswith((".", "?"))


def test_a_missing_image_is_named():
    error = _translate(_answer(404, "No such image: a:1", ImageNotFound))
    assert error.message == (
        "Container saas-t1: its image is not on the server (No such image: a:1); "
        "build or load it there."
    )


_REFUSED = ConnectionRefusedError(111, "Connection refused")
_NO_SOCKET = FileNotFoundError(2, "No such file or directory")
_CLOSED = PermissionError(13, "Permission denied")
_UNKNOWN_CA = ssl.SSLCertVerificationError(1, "certificate verify failed")


@pytest.mark.parametrize(
    ("error", "cause", "kind", "reason"),
    [
        (requests.ConnectionError(_REFUSED), None, RetryableError, "unreachable"),
        (DockerException("version"), _REFUSED, RetryableError, "unreachable"),
        (DockerException("version"), _NO_SOCKET, RetryableError, "unreachable"),
        (DockerException("version"), _CLOSED, RefusedError, "permission"),
        (requests.exceptions.SSLError(_UNKNOWN_CA), None, RefusedError, "tls"),
        (
            requests.ConnectionError("x"),
            socket.gaierror(-2, "Name not known"),
            RetryableError,
            "unreachable",
        ),
        (
            requests.ConnectionError("cut"),
            ssl.SSLEOFError(8, "EOF occurred"),
            RetryableError,
            "unreachable",
        ),
        (requests.ReadTimeout("x"), None, RetryableError, "timeout"),
        (TimeoutError(), None, RetryableError, "timeout"),
        (
            urllib3.exceptions.ReadTimeoutError(None, "/x", "slow"),
            None,
            RetryableError,
            "timeout",
        ),
        (
            urllib3.exceptions.ProtocolError("broken", _REFUSED),
            None,
            RetryableError,
            "unreachable",
        ),
        (
            DockerException("Install paramiko package to enable ssh:// support"),
            None,
            RefusedError,
            "bad_url",
        ),
        (DockerException("Invalid bind address"), None, RefusedError, "bad_url"),
    ],
)
def test_a_fault_on_the_way_is_told_by_what_can_be_done(error, cause, kind, reason):
    told = _translate(error, cause)
    assert (type(told), told.reason) == (kind, reason)
    assert told.message.endswith((".", "?"))
    assert told.__cause__ is error


def test_the_innermost_cause_is_told():
    wrapped = requests.ConnectionError("outer", urllib3.exceptions.ProtocolError("x"))
    error = _translate(wrapped, _REFUSED)
    assert error.message == (
        f"The Docker engine at {URL} cannot be reached (Connection refused); is it "
        "running?"
    )


def test_an_error_of_ours_passes_as_it_is():
    ours = RefusedError("No.", reason="foreign")
    assert _translate(ours) is ours


def test_a_fault_of_the_program_is_not_hidden():
    with pytest.raises(KeyError), translate_errors(URL, "x"):
        raise KeyError("Labels")


def test_only_a_true_absence_is_none():
    def fail(error):
        raise error

    assert find(fail, _answer(404, "No such container", NotFound)) is None
    with pytest.raises(APIError):
        find(fail, _answer(500, "No such container"))


@pytest.mark.parametrize("field", ["ca", "cert"])
def test_a_certificate_that_is_none_is_told(field):
    with pytest.raises(RefusedError) as caught:
        make_ssl_context(**({"ca": "", "cert": "", "key": ""} | {field: "rubbish"}))
    assert caught.value.reason == "tls"


def test_who_breaks_off_tls_may_not_know_our_certificate():
    error = _translate(requests.ConnectionError("x"), ssl.SSLEOFError(8, "EOF"))
    assert error.message == (
        f"The Docker engine at {URL} broke off the TLS connection; look whether it "
        "runs, and whether it trusts our certificate."
    )
