"""The accounts of the test as one document."""

from __future__ import annotations

import pytest
import yaml

from pytest_mailu.core import population
from pytest_mailu.core.releases import Release
from pytest_mailu.stack.accounts import document


@pytest.mark.parametrize("name", ["1.9.50", "2.0.43", "2024.06.24"])
def test_the_whole_population_is_one_document_that_each_release_knows(name: str) -> None:
    release = Release.parse(name)
    read = yaml.safe_load(document(release, "PEM", "mx.relayed.example:2526"))
    users = {user["email"]: user for user in read["user"]}
    assert set(users) == {user.address for user in population.users()}
    assert users[population.UMLAUT.address]["password"] == population.UMLAUT.password
    assert users[population.ADMIN.address]["global_admin"]
    assert not users[population.DISABLED.address]["enabled"]
    assert not users[population.NO_POP3.address]["enable_pop"]
    assert users[population.PASSES.address]["forward_keep"] is False
    assert ("allow_spoofing" in users[population.SPOOFER.address]) == release.lets_users_spoof
    assert [alias["email"] for alias in read["alias"] if alias["wildcard"]] == [population.WILDCARD.address]
    assert read["domain"][0]["alternatives"] == [population.ALTERNATIVE]
    assert read["relay"] == [{"name": population.RELAYED, "smtp": "mx.relayed.example:2526"}]
