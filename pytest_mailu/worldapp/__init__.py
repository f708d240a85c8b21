"""The world around a Mailu stack, as one process: its DNS, other mail servers, and the SOCKS proxy for clients.

It runs inside a container of Mailu's own `admin` image, so it is written for Python 3.9 and needs nothing but the
standard library, aiosmtpd and dnslib, which `pytest_mailu.stack.world.zipapp` packs beside it.
"""
