"""Values that are drawn: what a class stands for is in each of them, and a seed repeats them."""

from __future__ import annotations

import string

import pytest

from pytest_mailu.core.drawn import FOLDER_NAMES, LONG, PASSWORDS, TEXTS, draw
from pytest_mailu.core.population import User, drawn_for, drawn_mailboxes, users

SEEDS = range(40)


def test_passwords_have_every_printable_character_together() -> None:
    for seed in SEEDS:
        together = "".join(
            draw(PASSWORDS, kind, seed) for kind in PASSWORDS if kind not in ("lower", "upper", "digits")
        )
        assert not set(string.punctuation + " ") - set(together)


@pytest.mark.parametrize("kind", PASSWORDS)
def test_a_password_of_a_class_is_one(kind: str) -> None:
    for seed in SEEDS:
        password = draw(PASSWORDS, kind, seed)
        assert 8 <= len(password) <= LONG
        assert not any(ord(character) < 32 or ord(character) == 127 for character in password)
        assert (password != password.strip()) == (kind in ("blank-first", "blank-last"))
        assert password.isascii() == (kind not in ("latin-1", "other-scripts", "combining", "emoji"))


@pytest.mark.parametrize("kinds", [PASSWORDS, FOLDER_NAMES, TEXTS])
def test_a_seed_repeats_what_was_drawn_and_another_draws_anew(kinds: dict[str, object]) -> None:
    for kind in kinds:
        assert draw(kinds, kind, 7) == draw(kinds, kind, 7)  # type: ignore[arg-type]
        assert len({draw(kinds, kind, seed) for seed in SEEDS}) > 1  # type: ignore[arg-type]


def test_folder_names_and_texts_are_one_line() -> None:
    for kinds in (FOLDER_NAMES, TEXTS):
        for kind in kinds:
            for seed in SEEDS:
                value = draw(kinds, kind, seed)
                assert "\n" not in value
                assert value == value.strip()
                assert len(value.encode()) < 400


def test_drawn_users_get_their_password_from_the_seed_and_others_keep_theirs() -> None:
    mailboxes = drawn_mailboxes("test-drawn")
    assert set(mailboxes) == set(PASSWORDS)
    found = {user.address: user.password for user in users(3)}
    assert all(found[user.address] == draw(PASSWORDS, kind, 3) for kind, user in mailboxes.items())
    assert drawn_for(User("a", "b"), 3) == User("a", "b")


def test_drawn_texts_stand_where_they_are_named() -> None:
    user = drawn_for(User("a", "b", reply="So <drawn quotes>.", displayed_name="<drawn signs>"), 3)
    assert user.reply == f"So {draw(TEXTS, 'quotes', 3)}."
    assert user.displayed_name == draw(TEXTS, "signs", 3)
