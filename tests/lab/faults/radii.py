"""Globs over what faults of one port hit beside what is asked there."""

from __future__ import annotations

CLIENT_SETUP = ("surface/client-setup/*",)
"""A program that finds no login on 587 goes on elsewhere."""
THROUGH_465 = (
    *("relay/domain/submitted", "relay/mx/*", "relay/next-hop/*", "relay/relayhost/*"),
    *("relay/dane/*", "relay/mta-sts/*", "relay/dns/*"),
)
"""What submits messages on 465 to ask about their further way."""
NAMED_465 = ("surface/autoconfig/*", "access/password/*/smtp-*", "submission/headers/*")
"""What else goes through 465, be it because a configuration document says so."""
