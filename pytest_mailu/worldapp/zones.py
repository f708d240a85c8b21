"""The data of the DNS server: a look-up in a set of records, by the rules of RFC 1034 section 4.3.2.

Every name belongs to a zone, since the root is one too. So every question has an answer at once: the records, or
"no such data" or "no such name" with the SOA of the zone (RFC 2308). Nothing is ever SERVFAIL or silence: Rspamd's
look-ups in block lists and Mailu's in `stats.mailu.io` end here.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Set, Tuple

from .plan import PlanError, Record

ROOT = ""
NOERROR, NXDOMAIN = 0, 3
_CHAIN = 8
"""CNAMEs followed before giving up: enough for anybody, and an end to loops."""


class Found(NamedTuple):
    """An answer: the response code, the records of the answer section, and the zone whose SOA to add when empty."""

    rcode: int
    records: List[Record]
    zone: str


class Zones:
    """All records of the world."""

    def __init__(self, zones: Iterable[str], records: Iterable[Record]) -> None:
        self._zones = {ROOT, *zones}
        self._records: Dict[Tuple[str, str], List[Record]] = {}
        self._names: Set[str] = set()
        for record in records:
            self._records.setdefault((record.name, record.type), []).append(record)
        self._name_all()

    def zone_of(self, name: str) -> str:
        """The closest enclosing zone."""
        while name and name not in self._zones:
            name = name.partition(".")[2]
        return name

    def find(self, name: str, kind: str) -> Found:
        """The answer to a question for `name` (lower case, no last dot) and a type such as `MX` or `ANY`."""
        chain: List[Record] = []
        for _ in range(_CHAIN):
            if kind == "ANY":
                records = [record for (owner, _), found in self._records.items() if owner == name for record in found]
            else:
                records = self._records.get((name, kind), [])
            if records:
                return Found(NOERROR, chain + records, ROOT)
            alias = self._records.get((name, "CNAME"))
            if not alias:
                break
            chain.append(alias[0])
            name = alias[0].value.rstrip(".").lower()
        return Found(NOERROR if name in self._names else NXDOMAIN, chain, self.zone_of(name))

    def replace(self, records: Iterable[Record]) -> None:
        """Put these in the place of all records with the same names and types."""
        fresh: Dict[Tuple[str, str], List[Record]] = {}
        for record in records:
            fresh.setdefault((record.name, record.type), []).append(record)
        self._records.update(fresh)
        self._name_all()

    def remove(self, keys: Iterable[Tuple[str, str]]) -> None:
        """Take away all records with these names and types; what is not there is no error."""
        for key in keys:
            self._records.pop(key, None)
        self._name_all()

    def all(self) -> List[Record]:
        """Every record, in no special order."""
        return [record for records in self._records.values() for record in records]

    def _name_all(self) -> None:
        """Names that exist: owners, zones, and everything above them (empty non-terminals, RFC 8020)."""
        names: Set[str] = {ROOT}
        for name in [*self._zones, *(owner for owner, _ in self._records)]:
            above = name
            while above and above not in names:
                names.add(above)
                above = above.partition(".")[2]
        self._names = names


def txt_chunks(value: str) -> List[bytes]:
    """A TXT value as the strings of up to 255 octets that DNS carries (RFC 1035 section 3.3.14)."""
    data = value.encode()
    return [data[start : start + 255] for start in range(0, len(data), 255)] or [b""]


def check_type(record: Record, known: Iterable[str]) -> None:
    """Raise PlanError for a type that cannot be served."""
    if record.type not in known:
        raise PlanError(f"cannot serve records of type {record.type}")
