"""Tests of the stack; those with the marker `engine` start real containers."""
