"""HTTP (RFC 9110)."""
