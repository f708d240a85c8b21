"""Protocol clients: they ask one server over one connection and return plain data with a transcript.

A server that ends a conversation raises `ends.Stopped`, which is an observation; a question that could not be put
raises `ends.Trouble`, which is none.
"""
