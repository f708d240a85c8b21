"""Sieve scripts over ManageSieve, as mail programs manage them. All scripts have unique names; only one can be
active."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pytest_mailu.behaviours.declaration import behaviour
from pytest_mailu.behaviours.needs import MAILBOX
from pytest_mailu.core.endpoints import SIEVE_4190
from pytest_mailu.core.model import Observation, Outcome, Severity, Stage
from pytest_mailu.core.population import own_mailbox
from pytest_mailu.probe.probe import Probe
from pytest_mailu.wire.sieve.session import SieveSession

MANAGER = own_mailbox("sieve-manager")
ACTIVE = own_mailbox("sieve-active")
"""A user whose active script only one behaviour changes."""

SCRIPT = 'require ["fileinto"];\r\nif header :contains "Subject" "größe" {\r\n  fileinto "Junk";\r\n}\r\n'
BROKEN = 'require ["fileinto"];\r\nif header :contains "Subject" { fileinto "Junk"\r\n'
LONG = 'require ["fileinto"];\r\n' + 'if header :contains "Subject" "x" { fileinto "Junk"; }\r\n' * 1200
UNKNOWN = 'require ["no-such-extension"];\r\nkeep;\r\n'


@asynccontextmanager
async def managing(probe: Probe) -> AsyncIterator[tuple[SieveSession, str]]:
    """A logged-in session on 4190 and a unique name for a script, which is deleted afterwards."""
    async with probe.sieve(SIEVE_4190) as sieve:
        await sieve.authenticate(MANAGER.address, MANAGER.password)
        name = f"probe {probe.unique_word()}"
        yield sieve, name
        await sieve.command(f'DELETESCRIPT "{name}"')


@behaviour("sieve/4190/upload", needs=MAILBOX, endpoint=SIEVE_4190, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def upload(probe: Probe) -> Observation:
    """Check, upload, list and download a Sieve script

    Users cannot write filters with their mail program, or lose them.

    RFC 5804 sections 2.5 to 2.9 and 2.12
    """
    async with managing(probe) as (sieve, name):
        await sieve.checkscript(SCRIPT)
        before = name in await sieve.listscripts()
        await sieve.putscript(name, SCRIPT)
        listed = await sieve.listscripts()
        same = (await sieve.getscript(name)) == SCRIPT
    right = same and not before and listed.get(name) is False
    return probe.seen(Outcome.ACCEPTED if right else Outcome.ALTERED, Stage.COMMAND, same=same, listed=name in listed)


@behaviour("sieve/4190/activate", needs=MAILBOX, endpoint=SIEVE_4190, wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def activate(probe: Probe) -> Observation:
    """Activate and deactivate a Sieve script; the active one cannot be deleted

    Users cannot switch filters on or off, or delete the active one by mistake.

    RFC 5804 sections 2.8 (SETACTIVE) and 2.10 (DELETESCRIPT refuses the active one)
    """
    async with probe.sieve(SIEVE_4190) as sieve:
        await sieve.authenticate(ACTIVE.address, ACTIVE.password)
        name = f"probe {probe.unique_word()}"
        await sieve.putscript(name, "keep;\r\n")
        await sieve.setactive(name)
        states = [(await sieve.listscripts()).get(name)]
        refusal = (await sieve.command(f'DELETESCRIPT "{name}"')).reply
        await sieve.setactive("")
        states.append((await sieve.listscripts()).get(name))
        await sieve.deletescript(name)
    right = states == [True, False] and refusal.code == "NO"
    return probe.seen(Outcome.ACCEPTED if right else Outcome.ALTERED, Stage.COMMAND, refusal, states=states)


@behaviour("sieve/4190/rename", needs=MAILBOX, endpoint=SIEVE_4190, wanted=Outcome.ACCEPTED, severity=Severity.MINOR)
async def rename(probe: Probe) -> Observation:
    """Rename a Sieve script to a non-ASCII name, then delete it

    Users cannot manage their filters.

    RFC 5804 sections 1.6, 2.10 and 2.11
    """
    async with managing(probe) as (sieve, name):
        to = f"Größe {probe.unique_word()}"
        await sieve.putscript(name, SCRIPT)
        await sieve.renamescript(name, to)
        between = await sieve.listscripts()
        same = (await sieve.getscript(to)) == SCRIPT
        await sieve.deletescript(to)
        after = await sieve.listscripts()
    right = to in between and name not in between and same and to not in after
    return probe.seen(Outcome.ACCEPTED if right else Outcome.ALTERED, Stage.COMMAND, same=same)


@behaviour(
    "sieve/4190/refuses-{what}",
    needs=MAILBOX,
    endpoint=SIEVE_4190,
    wanted=Outcome.ACCEPTED,
    severity=Severity.MINOR,
    each={"what": ("broken-check", "broken-upload", "unknown-extension", "missing", "taken-name")},
)
async def refuses(probe: Probe, what: str) -> Observation:
    """Impossible script command is refused with a reason: {what}

    A broken filter is stored and never works, or users are not told what is wrong.

    RFC 5804 section 1.3 (response codes), 2.6, 2.9, 2.11 and 2.12
    """
    async with managing(probe) as (sieve, name):
        match what:
            case "broken-check":
                answer = await sieve.command("CHECKSCRIPT ", BROKEN.encode())
            case "broken-upload":
                answer = await sieve.command(f'PUTSCRIPT "{name}" ', BROKEN.encode())
            case "unknown-extension":
                answer = await sieve.command("CHECKSCRIPT ", UNKNOWN.encode())
            case "missing":
                answer = await sieve.command(f'GETSCRIPT "{name}"')
            case _:
                for script in (name, f"{name} 2"):
                    await sieve.putscript(script, SCRIPT)
                answer = await sieve.command(f'RENAMESCRIPT "{name} 2" "{name}"')
                await sieve.command(f'DELETESCRIPT "{name} 2"')
        kept = name in await sieve.listscripts()
    # A refusal serves here, a closed port does not. What was refused must not be stored either.
    stored = what == "broken-upload" and kept
    outcome = Outcome.ALTERED if answer.ok or stored else Outcome.ACCEPTED
    return probe.seen(outcome, Stage.COMMAND, answer.reply, kept=kept)


@behaviour("sieve/4190/space", needs=MAILBOX, endpoint=SIEVE_4190, wanted=Outcome.ACCEPTED, severity=Severity.MINOR)
async def space(probe: Probe) -> Observation:
    """HAVESPACE answers, and a script of 64 KB is accepted

    Long filters, as web mail creates them, cannot be stored.

    RFC 5804 section 2.5 (HAVESPACE)
    """
    async with managing(probe) as (sieve, name):
        small = await sieve.command(f'HAVESPACE "{name}" 1000')
        huge = await sieve.command(f'HAVESPACE "{name}" 2000000000')
        stored = await sieve.command(f'PUTSCRIPT "{name}" ', LONG.encode())
        right = small.ok and stored.ok and (await sieve.getscript(name)) == LONG
    facts: dict[str, Any] = {
        "small": small.reply.code,
        "huge": huge.reply.code,
        "huge_why": huge.reply.enhanced,
        "64k": stored.reply.code,
    }
    return probe.seen(Outcome.ACCEPTED if right else Outcome.REFUSED, Stage.COMMAND, **facts)
