"""The world around a Mailu stack, as one process: its DNS, the other mail servers, and the door clients come in by.

It runs inside a container of Mailu's own `admin` image, so it is written for Python 3.9 and needs nothing but the
standard library, aiosmtpd and dnslib, which `pytest_mailu.stack.world.zipapp` packs beside it.
"""
