"""The certificate authorities of the sealed world in a stack's compose model."""

from __future__ import annotations

from copy import deepcopy

from pytest_mailu.core.errors import UsageError
from pytest_mailu.stack.compose.command import Model, template
from pytest_mailu.stack.compose.seal import sealed_defaults


def with_authorities(core: Model) -> Model:
    """`core` with the services of compose/acme.yml, sealed in as the services beside Mailu's core are.

    Raises UsageError where the user's compose file has a service of one of these names. Reads that file only.
    """
    model: Model = deepcopy(core)
    for name, service in template("acme")["services"].items():
        if name in model["services"]:
            raise UsageError(
                f"your compose file has a service {name}, and this set-up brings one of that name",
                f"Give yours another name than {name}, or compare in the set-up letsencrypt.",
            )
        model["services"][name] = {**service, **sealed_defaults(service), "networks": service["networks"]}
    return model
