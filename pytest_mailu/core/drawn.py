"""Values of a class (passwords, folder names …), drawn from the run's seed: the same on both sides of a run.

What a class has to have in it, such as every bracket, is in each value that is drawn; the seed decides on the order and
on the letters around it. So ids name classes, and any run can be repeated with `--mailu-seed`.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from types import MappingProxyType

ALPHANUMERICS = string.ascii_letters + string.digits
LATIN_1 = "äöüßÄÖÜéèàçñøåÅÆþÐ¡¿§±×÷"
"""Letters and signs of ISO 8859-1."""
OTHER_SCRIPTS = "Жщыєπρώθאבשبتث東京漢字かなŁőž€"
"""Letters beyond ISO 8859-1, right-to-left ones and two bytes' worth of them included."""
EMOJI = "😀🔑👩‍💻🇪🇺❤️"
MARKED = "e\u0301o\u0308a\u030a"
"""Letters with combining marks: the same to the eye as one character each, and other bytes."""
LONG = 200

Draw = Callable[[random.Random], str]


def _alphanumerics(rng: random.Random, count: int = 4, of: str = ALPHANUMERICS) -> str:
    return "".join(rng.choice(of) for _ in range(count))


def _with_all(characters: str) -> Draw:
    """Every one of `characters`, in any order, between letters."""

    def draw(rng: random.Random) -> str:
        order = rng.sample(characters, len(characters))
        return (
            _alphanumerics(rng)
            + "".join(character + _alphanumerics(rng, rng.randrange(2)) for character in order)
            + _alphanumerics(rng)
        )

    return draw


def _of(characters: str, count: int = 12) -> Draw:
    return lambda rng: _alphanumerics(rng, count, characters)


def _with_words(*words: str) -> Draw:
    """Every one of `words`, each as it is, in any order, between letters."""

    def draw(rng: random.Random) -> str:
        return _alphanumerics(rng) + "".join(word + _alphanumerics(rng, 2) for word in rng.sample(words, len(words)))

    return draw


PASSWORDS: Mapping[str, Draw] = MappingProxyType(
    {
        "lower": _of(string.ascii_lowercase),
        "upper": _of(string.ascii_uppercase),
        "digits": _of(string.digits),
        "sentence": _with_all(".,;!?"),
        "colon": _with_words(":", "::"),
        "brackets": _with_all("()[]{}<>"),
        "signs": _with_all("#@$_&~^|"),
        "operators": _with_all("+-*/="),
        "quotes": _with_all("\"'`"),
        "backslash": _with_words("\\", "\\\\", '\\"', "\\n", "\\x41"),
        "percent": _with_words("%", "%%", "%41", "%zz", "%u", "%25"),
        "escapes": _with_words("&amp;", "&#65;", "=41", "+ACE-", "=?utf-8?q?a?="),
        "shell": _with_words("$(id)", "${HOME}", "`id`", ";#", "&&"),
        "markup": _with_words("<b>", "</b>", "{{a}}", "{%a%}", "<!--"),
        "scheme": lambda rng: "{PLAIN}" + _alphanumerics(rng, 8),
        "blank-inside": _with_words(" ", "  "),
        "blank-first": lambda rng: " " + _alphanumerics(rng, 10),
        "blank-last": lambda rng: _alphanumerics(rng, 10) + " ",
        "latin-1": _with_all(LATIN_1),
        "other-scripts": _with_all(OTHER_SCRIPTS),
        "combining": lambda rng: _alphanumerics(rng) + MARKED + _alphanumerics(rng),
        "emoji": lambda rng: _alphanumerics(rng) + EMOJI + _alphanumerics(rng),
        "long": _of(ALPHANUMERICS, LONG),
    }
)
"""Classes of passwords. Together they have every printable character of ASCII. Control characters are left out: RFC
8265 section 4.2.2 forbids them."""

FOLDER_NAMES: Mapping[str, Draw] = MappingProxyType(
    {
        "blanks": lambda rng: f"{_alphanumerics(rng)} {_alphanumerics(rng)}  {_alphanumerics(rng)}",
        "ampersand": lambda rng: f"{_alphanumerics(rng)} & {_alphanumerics(rng)}&-{_alphanumerics(rng)}",
        "latin-1": _with_all(LATIN_1[:12]),
        "other-scripts": _with_all(OTHER_SCRIPTS),
        "emoji": lambda rng: _alphanumerics(rng) + EMOJI + _alphanumerics(rng),
        "brackets": _with_all("()[]{}<>"),
        "wildcards": _with_all("%*"),
        "quotes": _with_all("\"'`"),
        "backslash": _with_words("\\", "\\\\"),
        "dot": lambda rng: f"{_alphanumerics(rng)}.{_alphanumerics(rng)}",
        "tilde": lambda rng: f"~{_alphanumerics(rng)}",
        "hash": lambda rng: f"#{_alphanumerics(rng)}",
        "signs": _with_all("+-=,;:!?@$_|^"),
        "long": _of(ALPHANUMERICS, 120),
    }
)
"""Classes of folder names. A slash or a dot may be the server's hierarchy separator."""

TEXTS: Mapping[str, Draw] = MappingProxyType(
    {
        "quotes": _with_words('"', '""', "'", '"a" said'),
        "backslash": _with_words("\\", "\\\\", '\\"', "\\n"),
        "latin-1": _with_all(LATIN_1),
        "other-scripts": _with_all(OTHER_SCRIPTS),
        "emoji": lambda rng: f"{_alphanumerics(rng)} {EMOJI} {_alphanumerics(rng)}",
        "signs": _with_words("${a}", "{{b}}", "<c>", "&d;", "%e", "#f", ";", "*"),
        "long": lambda rng: " ".join(_alphanumerics(rng, 9) for _ in range(30)),
    }
)
"""Classes of text on one line: subjects, display names, words of automatic replies."""


def draw(kinds: Mapping[str, Draw], kind: str, seed: int) -> str:
    """The value of a class under a seed."""
    return kinds[kind](random.Random(f"{seed} {kind}"))  # noqa: S311 - reproducible on purpose
