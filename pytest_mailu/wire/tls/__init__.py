"""TLS handshakes, and the way from plain text to TLS."""
