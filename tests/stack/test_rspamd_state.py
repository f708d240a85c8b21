"""What Rspamd finds as if it had run before."""

from __future__ import annotations

from pytest_mailu.stack import rspamd_state


def test_rspamd_finds_the_list_of_domains_where_it_would_have_stored_it() -> None:
    stored = rspamd_state.cached_domain_list(("post.example", "alternative.example"), now=1_795_505_334)
    name = "/var/lib/rspamd/42d0931e173b394b06975fe29bc3723addd0ca2a.map"
    assert list(stored) == [name]
    assert stored[name][:16] == b"rmcd2000" + (40).to_bytes(8, "little")
    assert stored[name][40:] == b"post.example\nalternative.example"
