"""What the S3 library and the services say, as our two kinds of error."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from botocore import exceptions as boto

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError


@dataclasses.dataclass(frozen=True, slots=True)
class _Rule:
    """How some answers are told: the codes of a service, or exceptions."""

    error: type[EngineError]
    reason: str
    sentence: str


_CREDENTIALS = _Rule(
    RefusedError,
    "credentials",
    "{store}: the access key or its secret is not accepted; enter them again.",
)
_REGION = _Rule(
    RefusedError,
    "wrong_region",
    "{store} is in another region{region}; correct the region of the store.",
)
_CLOCK = _Rule(
    RefusedError,
    "clock",
    "{store}: the clock of this machine differs too much from that of the service; "
    "set it right.",
)
_FULL = _Rule(
    RefusedError,
    "full",
    "{store} is full; make room there, or keep fewer copies.",
)
_KMS = _Rule(
    RefusedError,
    "kms",
    "{store}: the KMS key cannot be used ({detail}); see that it exists, is enabled, "
    "and that the access key may use it.",
)
_BUSY = _Rule(
    RetryableError,
    "unavailable",
    "{store}: the service cannot answer at the moment ({code}). It is tried again.",
)
_TIMEOUT = _Rule(
    RetryableError,
    "timeout",
    "{store}: {endpoint} did not answer in time. It is tried again.",
)
_UNREACHABLE = _Rule(
    RetryableError,
    "unreachable",
    "{store} cannot be reached at {endpoint}; see that the address is right and that "
    "a firewall lets it through. It is tried again.",
)
_CUT = _Rule(
    RetryableError,
    "cut",
    "{store}: the connection was cut in the middle. It is tried again.",
)
_DENIED = _Rule(
    RefusedError,
    "denied",
    "{store}: the access key may not do this ({operation}); allow it in the policy of "
    "the bucket or of the user.",
)
_ALTERED = _Rule(
    RetryableError,
    "checksum",
    "{store}: what arrived there was not what was sent. It is tried again.",
)
_OTHER = _Rule(
    RefusedError,
    "store",
    "{store} refused {operation}: {detail} ({code}).",
)

_CODES: Mapping[str, _Rule] = {
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "InvalidToken": _CREDENTIALS,
    "ExpiredToken": _CREDENTIALS,
    "TokenRefreshRequired": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "Forbidden": _DENIED,
    "403": _DENIED,
    "NoSuchBucket": _Rule(
        RefusedError,
        "bucket_missing",
        "{store} does not exist; make it, or correct its name.",
    ),
    "InvalidBucketName": _Rule(
        RefusedError, "bucket_missing", "{store} has a name that no bucket can have."
    ),
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "IncorrectEndpoint": _REGION,
    "301": _REGION,
    "307": _REGION,
    "RequestTimeTooSkewed": _CLOCK,
    "RequestExpired": _CLOCK,
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "507": _FULL,
    "BadDigest": _ALTERED,
    "InvalidDigest": _ALTERED,
    "XAmzContentSHA256Mismatch": _ALTERED,
    "XAmzContentChecksumMismatch": _ALTERED,
    "IncompleteBody": _CUT,
    "RequestTimeout": _TIMEOUT,
    "NoSuchUpload": _Rule(
        RetryableError,
        "cut",
        "{store}: the service has lost the unfinished upload. It is tried again.",
    ),
    "PreconditionFailed": _Rule(
        RetryableError,
        "cut",
        "{store}: the object was replaced while it was read. It is tried again.",
    ),
    "InvalidBucketState": _Rule(
        RefusedError,
        "object_lock",
        "{store} was made without Object Lock; make another bucket with it.",
    ),
    "InvalidObjectState": _Rule(
        RefusedError,
        "archived",
        "{store}: the object lies in an archive class; restore it there first.",
    ),
    "SlowDown": _BUSY,
    "InternalError": _BUSY,
    "ServiceUnavailable": _BUSY,
    "OperationAborted": _BUSY,
}

# The first that fits counts: some are kinds of those below them.
_EXCEPTIONS: tuple[tuple[tuple[type[Exception], ...], _Rule], ...] = (
    (
        (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.CredentialRetrievalError,
            boto.UnauthorizedSSOTokenError,
        ),
        _Rule(
            RefusedError,
            "credentials",
            "{store}: there are no credentials; enter an access key, or give this "
            "process a role.",
        ),
    ),
    (
        (boto.SSLError,),
        _Rule(
            RefusedError,
            "tls",
            "{store}: the certificate of {endpoint} is not accepted; enter the "
            "certificate of who signed it.",
        ),
    ),
    ((boto.ConnectTimeoutError, boto.ReadTimeoutError), _TIMEOUT),
    ((boto.IncompleteReadError, boto.ResponseStreamingError), _CUT),
    ((boto.ConnectionClosedError,), _CUT),
    ((boto.EndpointConnectionError, boto.ProxyConnectionError), _UNREACHABLE),
    ((boto.HTTPClientError,), _UNREACHABLE),
    (
        (boto.NoRegionError,),
        _Rule(RefusedError, "wrong_region", "{store} needs a region; enter it."),
    ),
)


# What the library says, by its version, of a connection that ended within TLS.
_ENDED = (
    "eof occurred",
    "unexpected eof",
    "broken pipe",
    "connection reset",
    "timed out",
)


def translate(error: Exception, store: str, endpoint: str) -> EngineError:
    """The engine's error for an exception of the library.

    :param str store: what it was asked of, as the beginning of a sentence
    """
    if isinstance(error, boto.ClientError):
        return _translate_answer(error, store, endpoint)
    said = str(error).lower()
    if isinstance(error, boto.SSLError) and any(words in said for words in _ENDED):
        # It says nothing about the certificate.
        return _make(_CUT, store=store, endpoint=endpoint)
    for kinds, rule in _EXCEPTIONS:
        if isinstance(error, kinds):
            return _make(rule, store=store, endpoint=endpoint)
    return _make(
        _OTHER, store=store, operation="the request", detail=error, code="client"
    )


def _translate_answer(
    error: boto.ClientError, store: str, endpoint: str
) -> EngineError:
    answer: Mapping[str, Any] = error.response
    body = answer.get("Error", {})
    code = str(body.get("Code", ""))
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    detail = str(body.get("Message", "")).rstrip(".")
    rule = _CODES.get(code) or _CODES.get(str(status))
    if code.startswith("KMS.") or ("kms" in detail.lower() and status in (400, 403)):
        rule = _KMS
    if rule is None:
        rule = _BUSY if status >= 500 else _OTHER
    region = _find_region(answer)
    return _make(
        rule,
        store=store,
        endpoint=endpoint,
        operation=error.operation_name,
        detail=detail,
        code=code or status,
        region=f", {region}" if region else "",
    )


def _find_region(answer: Mapping[str, Any]) -> str:
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    found = headers.get("x-amz-bucket-region") or answer["Error"].get("Region")
    return str(found or "")


def _make(rule: _Rule, **known: object) -> EngineError:
    return rule.error(rule.sentence.format(**known), reason=rule.reason)
