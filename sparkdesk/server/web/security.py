"""Who may ask: the key, the names this server goes by, and the web pages that may speak to it. Pure."""

import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Policy:
    """What the guard goes by."""

    host: str = "127.0.0.1"
    """The address that is listened on."""
    api_key: str = ""
    allowed_hosts: frozenset[str] = frozenset()
    """Names beside the loopback's own and the one listened on."""
    cors_origins: tuple[str, ...] = ()
    """Web pages that may speak to this server; "*" is every one."""

    def is_key(self, authorization: str) -> bool:
        """Takes as long for a wrong key as for a right one."""
        if not self.api_key:
            return True
        scheme, _, given = authorization.partition(" ")
        ours, theirs = (sha256(key.encode("utf-8", "replace")).digest() for key in (self.api_key, given.strip()))
        return hmac.compare_digest(ours, theirs) and scheme.lower() == "bearer"

    def is_known_host(self, header: str) -> bool:
        """A web page can make its own name point at us, and then it may ask whatever it likes; it cannot change what
        the browser puts here. An address is no name, so where others are served, every address will do."""
        name = host_name(header)
        if name in LOOPBACK_NAMES or name == self.host.lower() or name in self.allowed_hosts:
            return True
        return not is_loopback(self.host) and _is_address(name)

    def is_welcome_origin(self, origin: str, host_header: str) -> bool:
        """Browsers say which page asks, programs say nothing."""
        if not origin or origin in self.cors_origins or "*" in self.cors_origins:
            return True
        return origin.partition("://")[2].lower() == host_header.lower()


def host_name(header: str) -> str:
    """Without the port and the brackets of IPv6."""
    header = header.strip().lower()
    if header.startswith("["):
        return header[1:].partition("]")[0]
    return header.rpartition(":")[0] if header.count(":") == 1 else header


def host_names(given: Iterable[str]) -> frozenset[str]:
    return frozenset(host_name(each) for each in given)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
