"""Where webhooks may go: to public addresses, and to those that SIGHTLINE_WEBHOOK_ALLOWED names.

With SIGHTLINE_WEBHOOK_PUBLIC=false only to the latter.

Whoever may name an address could otherwise have this server call its own neighbours. So a URL is
taken apart once, by one strict grammar; its name is resolved once; every address that comes out is
checked; and the sender connects to those very addresses and to nothing that it looks up again.
"""

import re
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.utils.translation import gettext as _

Address = IPv4Address | IPv6Address

MOST_CHARACTERS = 2000
PORTS = {"https": 443, "http": 80}

URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<bracketed>[0-9a-f:.]+)\]|(?P<name>[^\s/?#\\@:\[\]%]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>[/?][!\"$-\[\]-~]*)?",  # visible ASCII, without a fragment and without backslashes
    re.IGNORECASE,
)
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")  # a name that ends so is an IPv4 address to many
LOCAL_NAMES = ("localhost", "local", "internal")  # top-level names that are never public

# Unicast addresses of the internet; what tunnels to other addresses, and what is for examples.
GLOBAL_UNICAST = IPv6Network("2000::/3")
NOT_PUBLIC = (
    IPv4Network("100.64.0.0/10"),  # behind carriers' NAT, and Alibaba's metadata
    IPv4Network("168.63.129.16/32"),  # Azure's own services for a machine
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("2001::/23"),  # Teredo and other special purposes
    IPv6Network("2002::/16"),  # 6to4
    IPv6Network("3fff::/20"),
)
NAT64 = IPv6Network("64:ff9b::/96")  # an IPv4 address is in the last 32 bits


class RefusedAddress(ValueError):
    """Webhooks are not sent there; the message says why and what would do."""


@dataclass(frozen=True)
class Target:
    """A URL taken apart, and the checked addresses of its host, in the order to try them."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...] = ()

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(url: str) -> None:
    """Refuse by the URL alone, with no look at the DNS.

    Raises:
        RefusedAddress: if it is no URL that we send to, or names an address that is not public.
    """
    target = _taken_apart(url)
    if address := _literal(target.host):
        _check_address(target, address)
    elif target.host not in _allowed_names() and not _allowed_networks():
        _check_public(target)
        if "." not in target.host or target.host.endswith(tuple(f".{n}" for n in LOCAL_NAMES)):
            raise RefusedAddress(
                _("%(host)s is not a public name; webhooks go to public addresses only.")
                % {"host": target.host}
            )


def resolve(url: str) -> Target:
    """Take the URL apart, look its name up once, and check every address that it has.

    Raises:
        RefusedAddress: as `check_url`, and if any of the addresses is not public.
        OSError: if the name cannot be looked up.
    """
    target = _taken_apart(url)
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    addresses = tuple(dict.fromkeys(str(sockaddr[0]) for *_rest, sockaddr in found))
    for address in addresses:
        _check_address(target, ip_address(address))
    return Target(target.scheme, target.host, target.port, target.path, addresses)


def is_public(address: Address) -> bool:
    """Whether anybody on the internet can be reached there, as far as one can tell."""
    address = _unwrapped(address)
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in NOT_PUBLIC)
    )


def _taken_apart(url: str) -> Target:
    if len(url) > MOST_CHARACTERS:
        raise RefusedAddress(
            _("The address is longer than %(limit)d characters.") % {"limit": MOST_CHARACTERS}
        )
    match = URL.fullmatch(url)
    if match is None:
        raise RefusedAddress(_what_is_wrong(url))
    scheme = match["scheme"].lower()
    port = int(match["port"] or PORTS[scheme])
    if not 0 < port < 65536:
        raise RefusedAddress(_("The port must be a number from 1 to 65535."))
    path = match["path"] or "/"
    host = _bracketed(match["bracketed"]) if match["bracketed"] else _name(match["name"])
    return Target(scheme, host, port, path if path.startswith("/") else f"/{path}")


def _what_is_wrong(url: str) -> str:
    if not url.lower().startswith(("https://", "http://")):
        return _("The address must begin with https://.")
    if "@" in re.split(r"[/?#]", url.split("://", 1)[1])[0]:
        return _("The address must not hold a name or a password; check the signature instead.")
    return _(
        "This is not an address that webhooks can be sent to; "
        "write it as https://host.example/path, in plain ASCII and without a fragment (#)."
    )


def _bracketed(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError as error:
        raise RefusedAddress(_("What stands in the brackets is no IPv6 address.")) from error


def _name(text: str) -> str:
    """The name as the DNS has it: in ASCII, small letters, without a dot at the end."""
    text = text.lower()
    try:
        name = text.encode("idna").decode("ascii")
        unambiguous = text.isascii() or name.encode().decode("idna") == text
    except UnicodeError:
        name, unambiguous = "", False
    name = name.removesuffix(".")
    labels = name.split(".")
    if not unambiguous or len(name) > 253 or not all(map(LABEL.fullmatch, labels)):
        raise RefusedAddress(
            _("The host has no name that the DNS knows; write it in its ASCII form (xn--…).")
        )
    if NUMBER.fullmatch(labels[-1]):
        return _dotted(name)
    return name


def _dotted(text: str) -> str:
    """Octal, hexadecimal, whole and short numbers mean this to one library and that to another."""
    try:
        return str(IPv4Address(text))
    except ValueError as error:
        raise RefusedAddress(
            _("Write an IPv4 address as four decimal numbers, such as 192.0.2.1.")
        ) from error


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one leads to."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(address.packed[-4:])
    return address


def _check_address(target: Target, address: Address) -> None:
    plain = _unwrapped(address)
    if target.host in _allowed_names() or any(plain in net for net in _allowed_networks()):
        return
    _check_public(target)
    if not is_public(plain):
        raise RefusedAddress(
            _("%(host)s is inside a private or special network; webhooks go to public ones only.")
            % {"host": target.host}
        )


def _check_public(target: Target) -> None:
    """What holds for all that nobody has allowed."""
    if not settings.WEBHOOK_PUBLIC:
        raise RefusedAddress(_("Webhooks of this server go to addresses that it names only."))
    if target.scheme != "https":
        raise RefusedAddress(_("The address must begin with https://."))


def _allowed_names() -> set[str]:
    return {entry for entry in settings.WEBHOOK_ALLOWED if isinstance(entry, str)}


def _allowed_networks() -> list[IPv4Network | IPv6Network]:
    return [entry for entry in settings.WEBHOOK_ALLOWED if not isinstance(entry, str)]
