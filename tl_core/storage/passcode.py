"""A pass-code that is stored as a slow hash, so that who reads the hash cannot log in with it.

scrypt as `RFC 7914 <https://www.rfc-editor.org/rfc/rfc7914>`_ describes it, with the parameters that the OWASP
password storage cheat sheet gives for it (N = 2^15, r = 8, p = 3: 32 MiB and about a quarter of a second).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Final

from tl_core.errors import ConfigError

MIN_LENGTH: Final = 8  # characters; the number of attempts is limited as well
MAX_LENGTH: Final = 128  # characters
_NAME: Final = "scrypt"
_COST, _BLOCKS, _PARALLEL = 2**15, 8, 3
_MAX_COST: Final = 2**20  # a hash that would take the machine's memory is refused
_MEMORY: Final = 256 << 20  # bytes that scrypt may take
_SALT_BYTES: Final = 16
_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class StoredHash:
    """What is stored of a pass-code."""

    cost: int
    blocks: int
    parallel: int
    salt: bytes
    key: bytes

    @classmethod
    def parse(cls, text: str) -> StoredHash:
        """Parse the text form that `hash_passcode` returns.

        Raises:
            ConfigError: it is no such text.
        """
        try:
            name, cost, blocks, parallel, salt, key = text.strip().split(":")
            stored = cls(int(cost), int(blocks), int(parallel), _decode(salt), _decode(key))
            if name != _NAME or not stored._sound():
                raise ValueError("not a hash of this program")
        except (ValueError, binascii.Error) as error:
            raise ConfigError(
                "The pass-code's hash in TL_PASSCODE_HASH is not readable: make one with "
                "“python -m tl_core passcode” and copy the whole line."
            ) from error
        return stored

    def matches(self, passcode: str) -> bool:
        """Whether it is the hash of ``passcode``; takes as long for a wrong one as for the right one."""
        key = _derive(passcode[: MAX_LENGTH + 1], self.salt, self.cost, self.blocks, self.parallel)
        return hmac.compare_digest(key, self.key)

    def _sound(self) -> bool:
        power_of_two = self.cost > 1 and self.cost & (self.cost - 1) == 0
        small = self.cost <= _MAX_COST and 0 < self.blocks <= 32 and 0 < self.parallel <= 16
        fits = 128 * self.cost * self.blocks <= _MEMORY // 2
        return power_of_two and small and fits and len(self.salt) >= 8 and len(self.key) == _KEY_BYTES


def hash_passcode(passcode: str) -> str:
    """The text for ``TL_PASSCODE_HASH``: parameters, a random salt and the key, without the pass-code.

    Raises:
        ConfigError: the pass-code is too short or too long.
    """
    if not MIN_LENGTH <= len(passcode) <= MAX_LENGTH:
        raise ConfigError(
            f"A pass-code needs {MIN_LENGTH} to {MAX_LENGTH} characters. Received: {len(passcode)} characters."
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    key = _derive(passcode, salt, _COST, _BLOCKS, _PARALLEL)
    parts = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (salt, key)]
    return ":".join((_NAME, str(_COST), str(_BLOCKS), str(_PARALLEL), *parts))


def _derive(passcode: str, salt: bytes, cost: int, blocks: int, parallel: int) -> bytes:
    # The same letters typed on another keyboard are the same pass-code.
    password = unicodedata.normalize("NFKC", passcode).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(password, salt=salt, n=cost, r=blocks, p=parallel, maxmem=_MEMORY, dklen=_KEY_BYTES)


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
