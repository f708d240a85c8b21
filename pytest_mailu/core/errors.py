"""Errors that are meant for people: one line with the cause, one with what to do."""

from __future__ import annotations


class MailuError(Exception):
    """Something a person has to know. `cause` says what happened, `remedy` what to do about it."""

    def __init__(self, cause: str, remedy: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return "\n".join((self.cause, f"  → {self.remedy}", *(f"    | {line}" for line in self.details)))


def only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a task group was really stopped by: its first error of ours, or the group itself where others came up.

    To be raised outside of `except*`, which wraps what is raised in it (in Python before 3.11.4).
    """
    ours, others = group.split(MailuError)
    while ours is not None and others is None:
        first = ours.exceptions[0]
        if not isinstance(first, BaseExceptionGroup):
            return first
        ours = first
    return group


class UsageError(MailuError):
    """What was asked for cannot be: pytest's exit status 4."""


class StackError(MailuError):
    """A stack did not start or did not stay. `details` are the last log lines of `service`.

    `own_doing` is True when the service itself gave up (it exited, restarted, or never answered), and False for trouble
    of the engine, the network, the image or the disk.
    """

    def __init__(
        self, cause: str, remedy: str, details: tuple[str, ...] = (), *, service: str = "", own_doing: bool = False
    ) -> None:
        super().__init__(cause, remedy, details)
        self.service = service
        self.own_doing = own_doing
