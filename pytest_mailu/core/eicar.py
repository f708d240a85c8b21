"""The test file of virus scanners (eicar.org), which does nothing and is to be taken for a virus."""

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
"""In two parts, so that this file is none."""
