"""Frozen values that every package uses, and pure functions of them."""
