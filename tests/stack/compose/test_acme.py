"""The certificate authorities in the compose model of a stack: sealed in, and only where the set-up has them."""

from __future__ import annotations

import pytest

from pytest_mailu.core.errors import UsageError
from pytest_mailu.core.releases import CORE_SERVICES
from pytest_mailu.core.setups import SETUPS, Feature, setup_named
from pytest_mailu.stack.compose.acme import with_authorities
from pytest_mailu.stack.compose.command import CONFIGURED, sealed, template
from pytest_mailu.stack.world import acme

LABELS = {"org.pytest-mailu.run": "1"}


def test_they_are_sealed_in_and_have_no_rights() -> None:
    model = sealed(with_authorities(template("mailu")), {"SECRET_KEY": "x"}, LABELS, CONFIGURED, {"option": "1"})
    assert set(model["services"]) == {*CORE_SERVICES, *acme.SERVICES, "world", "ingress"}
    for name in acme.SERVICES:
        service = model["services"][name]
        assert service["dns"] == ["${MAILU_WORLD}"]
        assert (service["restart"], service["healthcheck"]) == ("no", {"disable": True})
        assert "ALL" in service["cap_drop"]
        assert service["labels"] == LABELS
        assert "SECRET_KEY" not in service["environment"]
        assert not {"ports", "volumes"} & set(service)
        # The world's DNS is in the one, and what HOSTNAMES resolves to in the other.
        assert set(service["networks"]) == {"default", "edge-stranger"}
    assert [name for name, network in model["networks"].items() if not network.get("internal")] == ["outside"]


def test_a_service_of_the_user_s_of_the_same_name_is_an_error_that_says_what_to_do() -> None:
    theirs = template("mailu")
    theirs["services"]["acme"] = {"image": "ours"}
    with pytest.raises(UsageError, match="your compose file has a service acme") as caught:
        with_authorities(theirs)
    assert "letsencrypt" in caught.value.remedy


def test_one_set_up_has_them_and_is_else_as_letsencrypt() -> None:
    setup = setup_named("acme")
    assert [one.name for one in SETUPS if one.brings_authorities] == ["acme"]
    assert setup.features == setup_named("letsencrypt").features | {Feature.ACME}
    assert setup.laid_over == setup_named("letsencrypt").laid_over
