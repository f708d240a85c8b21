"""What Rspamd finds as if it had run before."""

from __future__ import annotations

from pytest_mailu.stack import rspamd_state


def test_rspamd_finds_the_list_of_domains_where_it_would_have_stored_it() -> None:
    stored = rspamd_state.cached_domain_list(("post.example", "alternative.example"), 8080, now=1_795_505_334)
    name = "/var/lib/rspamd/42d0931e173b394b06975fe29bc3723addd0ca2a.map"
    assert list(stored) == [name]
    assert stored[name][:16] == b"rmcd2000" + (40).to_bytes(8, "little")
    assert stored[name][40:] == b"post.example\nalternative.example"


def test_it_is_stored_under_the_address_that_this_release_s_rspamd_reads() -> None:
    """To 2.0.21 `admin` listens on port 80, and core/rspamd/conf/multimap.conf names none."""
    before, after = (set(rspamd_state.cached_domain_list(("post.example",), port)) for port in (80, 8080))
    assert len(before) == len(after) == 1
    assert before.isdisjoint(after)
