"""Folders, disk space, settings, and the cache and the token of the Hugging Face hub."""

import shlex
from collections.abc import Iterator

from sparkdesk.doctor.check import FAIL, OK, WARN, Check, gigabytes
from sparkdesk.doctor.facts import Facts, FolderFact, HubFacts

LEAST_FREE_BYTES = 10_000_000_000
"""A 4B target in Q4_K_M, its draft, and the room to convert them."""


def storage(facts: Facts) -> Iterator[Check]:
    yield from map(_folder, facts.folders)
    yield _disk("disk", facts.folders[0], "Free some space, or set SPARKDESK_HOME to a larger disk.")
    yield _settings(facts)
    yield from _privacy(facts)
    yield from _leftovers(facts)
    yield from _hub(facts.hub)


def _folder(folder: FolderFact) -> Check:
    if folder.is_writable:
        return Check("folder", OK, f"{folder.path} can be written to")
    fix = f'sudo chown -R "$USER" {folder.path}, or set SPARKDESK_HOME to a folder that can be.'
    return Check("folder", FAIL, f"{folder.path} cannot be written to", fix)


def _disk(name: str, folder: FolderFact, fix: str) -> Check:
    text = f"{gigabytes(folder.free_bytes)} free for models"
    if folder.free_bytes < LEAST_FREE_BYTES:
        return Check(name, WARN, text, fix)
    return Check(name, OK, text)


def _settings(facts: Facts) -> Check:
    if facts.settings_problem:
        return Check("settings", FAIL, facts.settings_problem, "Mend the file; docs/settings.md lists all settings.")
    if facts.missing_model_folders:
        listed = ", ".join(facts.missing_model_folders)
        return Check("settings", WARN, f"of model_folders, these do not exist: {listed}", "Mend the settings file.")
    return Check("settings", OK, "the settings are in order")


def _privacy(facts: Facts) -> Iterator[Check]:
    """Mended by every other command; this one only looks."""
    if facts.widely_readable:
        listed = ", ".join(str(path) for path in facts.widely_readable[:3])
        more = f" and {len(facts.widely_readable) - 3} more" if len(facts.widely_readable) > 3 else ""
        paths = " ".join(shlex.quote(str(path)) for path in facts.widely_readable)
        yield Check("privacy", WARN, f"other users of this machine may open {listed}{more}", f"chmod go-rwx {paths}")


def _leftovers(facts: Facts) -> Iterator[Check]:
    if facts.leftover_bytes:
        text = f"conversions and downloads that broke off left {gigabytes(facts.leftover_bytes)}"
        yield Check("leftovers", WARN, text, "sparkdesk remove --incomplete")


def _hub(hub: HubFacts) -> Iterator[Check]:
    own = f'sudo chown -R "$USER" {hub.cache.path}, or set HF_HUB_CACHE to another folder.'
    if hub.unreadable_token is not None:
        text = f"the token in {hub.unreadable_token} cannot be read: gated models stay closed"
        yield Check("hub", WARN, text, f'sudo chown "$USER" {hub.unreadable_token}, or: hf auth login')
    if not hub.is_readable:
        text = f"the hub's cache {hub.cache.path} cannot be read: what is in it would be downloaded again"
        yield Check("hub", WARN, text, own)
    elif not hub.cache.is_writable:
        text = f"the hub's cache {hub.cache.path} cannot be written to: nothing can be downloaded"
        yield Check("hub", WARN, text, own)
    elif hub.is_offline:
        text = "offline by HF_HUB_OFFLINE: nothing can be downloaded, what is in the cache can be used"
        yield Check("hub", WARN, text, "unset HF_HUB_OFFLINE, when downloads are wanted.")
    else:
        fix = "Free some space (sparkdesk list shows models), or set HF_HUB_CACHE to a larger disk."
        yield _disk("hub cache", hub.cache, fix)
