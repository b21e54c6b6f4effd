"""Who asks: key headers, HTTP Basic, or a Bearer token."""

import base64
import binascii
import secrets
from collections.abc import Mapping

from sandbox.errors import ApiError

KEY_HEADER, SECRET_HEADER = "apca-api-key-id", "apca-api-secret-key"
UNAUTHORIZED = 40110000


def account_of(headers: Mapping[str, str], key: str, secret: str) -> str:
    """The account that a request speaks for.

    Args:
        headers: The request's.
        key: The only key accepted; empty accepts any pair and any token that are not empty.
        secret: Its secret, accepted alone as a Bearer token.

    Raises:
        ApiError: 401 without credentials, 403 with wrong ones.
    """
    given_key, given_secret = _credentials(headers)
    if not given_secret:
        raise ApiError(401, "forbidden.")
    is_token = not given_key
    right_key = is_token or secrets.compare_digest(given_key.encode(), key.encode())
    right_secret = secrets.compare_digest(given_secret.encode(), secret.encode())
    if key and not (right_key and right_secret):
        message = "access key verification failed : access key not found"
        raise ApiError(403, message, UNAUTHORIZED)
    return given_key or given_secret


def _credentials(headers: Mapping[str, str]) -> tuple[str, str]:
    """Key and secret; a token is a secret without a key; two empty texts if there is nothing."""
    key, secret = headers.get(KEY_HEADER, ""), headers.get(SECRET_HEADER, "")
    if key and secret:
        return key, secret
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return "", value.strip()
    if scheme.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            return "", ""
        return (key, secret) if key and secret else ("", "")
    return "", ""
