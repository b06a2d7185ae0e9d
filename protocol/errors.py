"""Pure. Close codes, and the error for a peer that violates the protocol."""

from enum import IntEnum


class CloseCode(IntEnum):
    """The registered close codes (RFC 6455 §7.4.1, IANA WebSocket Close Code Number Registry)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005
    ABNORMAL = 1006
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


NEVER_SENT = frozenset({CloseCode.NO_STATUS, CloseCode.ABNORMAL, CloseCode.TLS_HANDSHAKE})
"""Codes that only describe a local condition; in a close frame they are a violation (RFC 6455 §7.4.1)."""


def is_sendable(code: int) -> bool:
    """Return whether a close frame may contain `code` (RFC 6455 §7.4)."""
    if 1000 <= code <= 1014:
        return code != 1004 and code not in NEVER_SENT
    return 3000 <= code <= 4999


class ProtocolViolation(Exception):
    """The peer violated a rule of RFC 6455 or RFC 7692; fail the connection with `code` (RFC 6455 §7.1.7)."""

    def __init__(self, code: CloseCode, reason: str, section: str) -> None:
        super().__init__(code, reason, section)
        self.code = code
        self.reason = reason
        self.section = section

    def __str__(self) -> str:
        return f"{self.reason} ({self.section})"
