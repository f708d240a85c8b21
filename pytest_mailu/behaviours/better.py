"""Directions that facts of several behaviours share: which way serves people."""

from __future__ import annotations

from pytest_mailu.core.model import Direction

FUNCTION = {"outcome": Direction.SERVED}
"""A function without a wanted outcome, since not every release has it: where it is there, it must not be lost."""
ARRIVES = {"copies": Direction.FEWER, "folder": Direction.FIXED}
"""Good mail in a mailbox: once, and in the same folder."""
GOES_OUT = {
    "arrival.body_kept": Direction.TRUE,
    "arrival.tls": Direction.TRUE,
    "arrival.headers.dkim-signature": Direction.MORE,
}
"""Mail at another server: unaltered, over TLS, signed."""
FILTERS = {
    "added.delivered-to": Direction.FIXED,
    "added.return-path": Direction.FIXED,
    "added.x-spam*": Direction.FIXED,
    "added.authentication-results": Direction.FIXED,
    "removed": Direction.FEWER,
}
"""Header fields that filters sort by: `header_changes` of a message."""
BOUNCES = {"bounce.well_formed": Direction.TRUE}
SMTP_KEYWORDS = {
    **{
        f"keywords.{keyword}": Direction.KEPT
        for keyword in ("8BITMIME", "AUTH", "CHUNKING", "DSN", "ENHANCEDSTATUSCODES", "PIPELINING", "SMTPUTF8")
    },
    "keywords.SIZE": Direction.MORE,
}
"""The EHLO keywords that mail programs use. Others (ETRN, VRFY, BURL) serve none."""
