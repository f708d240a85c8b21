"""Errors that are meant for people: one line with the cause, one with what to do."""

from __future__ import annotations

from pytest_mailu.core.text import show_line

LINE_LIMIT = 2_000
"""Characters of one line of an error."""
DETAILS_LIMIT = 50
"""Further lines of an error."""


class MailuError(Exception):
    """An error for a person. `cause` says what happened, `remedy` what to do; `details` are further lines.

    All three may quote servers, files and other programs: what cannot be printed is escaped, what is too long is cut.
    """

    def __init__(self, cause: str, remedy: str, details: tuple[str, ...] = ()) -> None:
        self.cause = show_line(cause, LINE_LIMIT)
        super().__init__(self.cause)
        self.remedy = show_line(remedy, LINE_LIMIT)
        self.details = tuple(show_line(line.expandtabs(), LINE_LIMIT) for line in details[-DETAILS_LIMIT:])

    def __str__(self) -> str:
        return "\n".join((self.cause, f"  → {self.remedy}", *(f"    | {line}" for line in self.details)))


def unwrap_single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first MailuError of a task group, or the group itself where it holds other errors as well.

    Raise the result outside of `except*`, which wraps what is raised in it (Python before 3.11.4).
    """
    ours, others = group.split(MailuError)
    while ours is not None and others is None:
        first = ours.exceptions[0]
        if not isinstance(first, BaseExceptionGroup):
            return first
        ours = first
    return group


class UsageError(MailuError):
    """The command line, or a file that it names, cannot be used: pytest's exit status 4."""


class StackError(MailuError):
    """A stack did not start, or did not stay up. `details` are the last log lines of `service`.

    `own_doing` is True where the service itself ended, restarted or never answered. It is False where the engine, the
    network, the image or the disk failed.
    """

    def __init__(
        self, cause: str, remedy: str, details: tuple[str, ...] = (), *, service: str = "", own_doing: bool = False
    ) -> None:
        super().__init__(cause, remedy, details)
        self.service = service
        self.own_doing = own_doing
