"""Protocol clients: each asks one server over one connection, and returns plain data with a transcript.

A server that does not serve a request raises `transport.errors.NotServed`, which is an observation. A question that
could not be put raises `transport.errors.CannotAsk`, which is none.
"""
