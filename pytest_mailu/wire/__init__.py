"""Protocol clients: each asks one server over one connection, and returns plain data with a transcript.

The sessions of SMTP, IMAP, POP3 and ManageSieve are our own, on one stream. They record a transcript, tell silence from
half a reply and from a closed connection, limit everything that a server writes, and send what a correct client never
sends. Libraries for mail programs hide all of that. Parsing IMAP's lists is left to imapclient, HTTP to httpx, SOCKS to
python-socks, certificates to cryptography.

A server that does not serve a request raises `transport.errors.NotServed`, which is an observation. A question that
could not be put raises `transport.errors.CannotAsk`, which is none.
"""
