"""Connections: how a client reaches a server, reads within limits, and keeps a transcript."""
