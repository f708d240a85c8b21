"""The REST interface, the web site, and what documents say."""

from __future__ import annotations

from .fault import Fault

FAULTS = (
    Fault(
        "api-500",
        "the REST interface answers a wrong type with an error of the server",
        ("admin/api/user/create-wrong", "admin/api/alias/change-wrong"),
        outcome="unanswered",
        radius=("admin/api/*-wrong",),
        settings={"LAB_ADMIN": "api-500"},
        stops=False,
        beside=("admin/api/user/create",),
    ),
    Fault(
        "api-forgets",
        "the REST interface answers a change with 200 and leaves a field as it was",
        ("admin/api/user/change-fields",),
        settings={"LAB_ADMIN": "api-forgets"},
    ),
    Fault(
        "api-open",
        "the REST interface changes tokens for everybody",
        ("admin/api/without-token", "admin/api/wrong-token"),
        outcome="accepted",
        settings={"LAB_ADMIN": "api-open"},
    ),
    Fault(
        "api-loses-relay",
        "the REST interface has no relayed domains any more",
        ("admin/api/relay/create", "admin/api/document"),
        radius=("admin/api/relay/*", "admin/api/effect/relay-receives", "admin/api/document-fields"),
        settings={"LAB_ADMIN": "api-loses-relay"},
    ),
    Fault(
        "api-ghost",
        "what is created through the REST interface is not there",
        ("admin/api/user/create", "admin/api/effect/alias-receives"),
        radius=("admin/api/*",),
        settings={"LAB_ADMIN": "api-ghost"},
    ),
    Fault(
        "document-closed-port",
        "the configuration document for Thunderbird names a port that nobody serves",
        ("surface/autoconfig/thunderbird/works",),
        outcome="refused",
        radius=("surface/autoconfig/*",),
        settings={"LAB_ADMIN": "document-closed"},
    ),
    Fault(
        "page-closed-port",
        "the page for setting up a mail program names a port that nobody serves",
        ("surface/client-setup/page",),
        outcome="refused",
        settings={"LAB_ADMIN": "page-closed"},
    ),
    Fault(
        "records-lost",
        "the administration does not show the DMARC record any more",
        ("admin/site/dns-records",),
        outcome="refused",
        settings={"LAB_ADMIN": "records-lost"},
    ),
    Fault(
        "form-forgets",
        "a form of the web site says that it saved, and has not",
        ("admin/form/alias-create", "admin/form/alias-create-fields"),
        radius=("admin/form/alias-*", "admin/site/create-alias"),
        settings={"LAB_ADMIN": "form-forgets"},
    ),
    Fault(
        "form-500",
        "a form of the web site ends in an error where an optional part is left empty",
        ("admin/form/alias-create-parts-empty",),
        outcome="unanswered",
        settings={"LAB_ADMIN": "form-500"},
    ),
)
