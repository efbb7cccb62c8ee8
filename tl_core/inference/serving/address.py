"""On which address a server listens, and whether it needs a token there."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Final

from tl_core.errors import ConfigError

TOKEN: Final = "TL_SERVE_TOKEN"  # noqa: S105  # the name of a variable
LEAST_TOKEN: Final = 16  # characters


def token_for(host: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """What a request has to bring along on this address; None = nothing, because it is this machine's own.

    Raises:
        ConfigError: others could reach the address and there is no token, or it is short.
    """
    token = environment.get(TOKEN, "").strip()
    if token and len(token) < LEAST_TOKEN:
        raise ConfigError(
            f"The token in {TOKEN} has {len(token)} characters, and could be guessed: give at least {LEAST_TOKEN} "
            "random ones."
        )
    if not token and not is_local(host):
        raise ConfigError(
            f"On the address {host} others can ask this model, so the server does not start without a token: set "
            f"{TOKEN} to at least {LEAST_TOKEN} random characters, or leave --host away to serve this machine alone."
        )
    return token or None


@contextlib.contextmanager
def listening_socket(host: str, port: int) -> Iterator[socket.socket]:
    """A socket with its address, taken before the model is opened, which takes seconds.

    Raises:
        ConfigError: the address is not this machine's, or the port is taken or not allowed.
    """
    try:
        kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        found = socket.socket(kind, socket.SOCK_STREAM)
    except OSError as error:
        raise _not_ours(host) from error
    with found:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise _not_ours(host) from error
            raise ConfigError(
                f"Port {port} of {host} cannot be used ({error.strerror}): stop what uses it, or name another one "
                "with --port."
            ) from error
        yield found


def _not_ours(host: str) -> ConfigError:
    return ConfigError(f"This machine has no address {host}: name another one with --host.")


def is_local(name: str) -> bool:
    """Whether a name or address means this machine and nothing else."""
    if name.strip().lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip().strip("[]")).is_loopback
    except ValueError:
        return False
