"""Hypothesis without a deadline and without a folder of its own in the checkout."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("mailu", deadline=None, database=None, max_examples=60)
settings.load_profile("mailu")
