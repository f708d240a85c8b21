"""Filters: managed over ManageSieve, and taking effect on delivery."""

from __future__ import annotations

from pytest_mailu.behaviours.registry import behaviour
from pytest_mailu.model import Observation, Outcome, Severity, Stage
from pytest_mailu.population import ELSEWHERE, POOL
from pytest_mailu.probe import Probe
from pytest_mailu.ways import SIEVE_4190

MANAGER, FILER, REDIRECTOR = POOL[10:13]


@behaviour("sieve/4190/manage", wanted=Outcome.ACCEPTED, severity=Severity.MAJOR)
async def manage(probe: Probe) -> Observation:
    """A script is checked, uploaded, listed, activated, read back and deleted

    People cannot manage their filters with their mail program.

    RFC 5804 section 2
    """
    script = 'require ["fileinto"];\r\nif header :contains "Subject" "x" { fileinto "Junk"; }\r\n'
    async with probe.sieve(SIEVE_4190) as sieve:
        await sieve.authenticate(MANAGER.address, MANAGER.password)
        await sieve.checkscript(script)
        await sieve.putscript("probe", script)
        await sieve.setactive("probe")
        listed = await sieve.listscripts()
        same = (await sieve.getscript("probe")) == script
        await sieve.setactive("")
        await sieve.deletescript("probe")
    kept = listed.get("probe") is True and same
    return probe.seen(Outcome.ACCEPTED if kept else Outcome.ALTERED, Stage.COMMAND)


@behaviour("sieve/4190/fileinto", wanted=Outcome.DELIVERED, severity=Severity.CRITICAL)
async def fileinto(probe: Probe) -> Observation:
    """An uploaded filter that sorts mail into a folder takes effect

    Filters are stored, but mail stays unsorted.

    RFC 5228 section 4.1
    """
    script = 'require ["fileinto", "mailbox"];\r\nfileinto :create "Sorted";\r\n'
    async with probe.sieve(SIEVE_4190) as sieve:
        await sieve.authenticate(FILER.address, FILER.password)
        await sieve.putscript("sort", script)
        await sieve.setactive("sort")
    sent = probe.letter(to=FILER.address)
    seen = await probe.in_mailbox(sent, FILER, await probe.deliver(sent))
    if seen.outcome is Outcome.DELIVERED and seen.facts["folder"] != "Sorted":
        return probe.seen(Outcome.ALTERED, Stage.DELIVERY, seen.reply, folder=seen.facts["folder"])
    return seen


@behaviour("sieve/4190/redirect", wanted=Outcome.DELIVERED, severity=Severity.MAJOR)
async def redirect(probe: Probe) -> Observation:
    """An uploaded filter that sends mail on to another domain takes effect

    Mail that people have sent on by a filter is lost.

    RFC 5228 section 4.2
    """
    async with probe.sieve(SIEVE_4190) as sieve:
        await sieve.authenticate(REDIRECTOR.address, REDIRECTOR.password)
        await sieve.putscript("on", f'redirect "someone@{ELSEWHERE}";\r\n')
        await sieve.setactive("on")
    sent = probe.letter(to=REDIRECTOR.address)
    return await probe.at_world(sent, await probe.deliver(sent))
