"""Passwords as Mailu stores them (passlib's formats), checked with crypt(3) and hashlib alone."""

from __future__ import annotations

import base64
import hashlib
import hmac


def fits(password: str, stored: str) -> bool:
    """Whether `password` is the one behind `stored`: a hash, or the password itself."""
    if stored.startswith("{") and "}" in stored:
        stored = stored.partition("}")[2]
    if stored.startswith("$pbkdf2-sha256$"):
        _, _, rounds, salt, digest = stored.split("$")
        made = hashlib.pbkdf2_hmac("sha256", password.encode(), _decoded(salt), int(rounds))
        return hmac.compare_digest(made, _decoded(digest))
    if not stored.startswith(("$bcrypt-sha256$v=2,", "$1$", "$5$", "$6$", "$2b$")):
        return password == stored
    import crypt  # the images have Python 3.11; 3.13 has it no more

    if stored.startswith("$bcrypt-sha256$v=2,"):
        _, _, options, salt, digest = stored.split("$")
        rounds = int(options.rpartition("r=")[2])
        inner = base64.b64encode(hmac.digest(salt.encode(), password.encode(), "sha256")).decode()
        return crypt.crypt(inner, f"$2b${rounds:02d}${salt}") == f"$2b${rounds:02d}${salt}{digest}"
    return crypt.crypt(password, stored) == stored


def _decoded(text: str) -> bytes:
    """Passlib's variant of base64: dots for plus signs, without padding."""
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4))
