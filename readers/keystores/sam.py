"""The cards' keys of a validator in a MIFARE SAM AV3: k1's masters alone. Written from public sources, met by
no real module yet. No key ever leaves it: `reveal` is KeySealed.

    unlock         80 10 00 00   three parts, the module's unlock key; given online, for a limited time
    host           80 A4 00 00   the same three parts, host mode 00 (plain)
    authenticate   80 0A 91 00   KeyNo ‖ KeyVer ‖ 00 ‖ E(K,RndB) ‖ M → E(K, RndA ‖ RndB')   90 AF
                   80 0A 00 00   the card's proof → PDcap2(6) ‖ PCDcap2(6)                  90 00
    session keys   80 D5 00 00   → SesAuthENC(16) ‖ SesAuthMAC(16) ‖ TI(4) ‖ …              90 00

P1 91 is EV2First (80) with AN10922 as of AV2 (10) and diversification (01): a validator needs no NonFirst.
M is UID ‖ AID ‖ system id. An authentication that its card did not finish is broken off with 80 AF.

Published: the three parts and their keys, P1, D5 (islog/liblogicalaccess; NXP's reader library for AV3). Seen
by others on modules: the order of D5 for MIFARE Plus (dumacp/smartcard), ENC ‖ MAC ‖ TI ‖ counters. Our
reading: that D5 has the same order after EV2, and that its key entry allows the dump. Host mode 00 leaves the
wire between processor and module in the clear: it is on the validator's own board.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Sequence
from typing import Final

from fare.core.desfire import crypto
from fare.core.desfire.authentication import Agreement, CardKey, Handshake
from fare.core.desfire.errors import CardNotGenuine
from fare.core.desfire.keys import KeyNotHeld, KeyPurpose, KeySealed, diversification_input
from fare.core.desfire.layout import AID
from fare.core.kit import SamKeys
from readers.ports import KeyStoreFault

Transmit = Callable[[bytes], bytes]
RandomBytes = Callable[[int], bytes]

_CLA: Final = 0x80
_LOCK_UNLOCK: Final = 0x10
_AUTHENTICATE_HOST: Final = 0xA4
_AUTHENTICATE_PICC: Final = 0x0A
_DUMP_SESSION_KEY: Final = 0xD5
_BREAK_OFF: Final = 0xAF
_UNLOCK: Final = 0x00
_PLAIN_HOST: Final = 0x00

_EV2_FIRST_DIVERSIFIED: Final = 0x91
_EV2_NO_LRP: Final = b"\x00"

_OK: Final = b"\x90\x00"
_MORE: Final = b"\x90\xaf"
_NOT_GENUINE: Final = (b"\x69\x82", b"\x69\x88", b"\x90\x1e")
_PROOF_SIZE: Final = 32
_CAPABILITIES_SIZE: Final = 12
_SESSION_SIZE: Final = 36


class SamRefused(KeyStoreFault):
    """The module did not do as it was told: locked, gone, or another one than the kit names."""

    def __init__(self, doing: str, status: bytes) -> None:
        self.status = status
        super().__init__(
            f"The secure access module refused to {doing} (status {status.hex() or 'none'}): check that it is"
            " in its slot and unlocked, and that the kit is for it."
        )


class SamKeyStore:
    """k1's masters in a module. A CardKeyStore; the module does one authentication at a time."""

    def __init__(
        self, keys: SamKeys, transmit: Transmit, random_bytes: RandomBytes, now_s: Callable[[], float]
    ) -> None:
        """`transmit`: one APDU there and back, data ‖ SW1 SW2, empty when the module is gone. `now_s` rises.

        The module is used for no card before `unlock`, nor after the time given there.
        """
        self._keys, self._transmit, self._random_bytes, self._now_s = keys, transmit, random_bytes, now_s
        self._turn = threading.Lock()
        self._unfinished = False
        self._until_s = 0.0

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return self._keys.versions

    @property
    def current(self) -> int:
        """See CardKeyStore; a validator makes no card."""
        return self._keys.current

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """See CardKeyStore."""
        entry = self._keys.entries.get(version)
        if purpose is not KeyPurpose.VALIDATOR or entry is None:
            raise KeyNotHeld(purpose, version)
        return _SamCardKey(self, entry, version, diversification_input(uid, AID, self._keys.system_id))

    def unlock(self, key_no: int, key_version: int, key: bytes, *, for_s: float) -> None:
        """Unlock the module with its unlock key, which is not kept, and use it for so many seconds.

        The module itself stays unlocked until it loses power; this store stops asking it. Raises SamRefused.
        """
        self._three_parts(_LOCK_UNLOCK, _UNLOCK, bytes([key_no, key_version]), key, _UNLOCK)
        self._until_s = self._now_s() + for_s

    def authenticate_host(self, key_no: int, key_version: int, key: bytes) -> None:
        """Prove to the module that this host may use it, in plain mode. Raises SamRefused."""
        opening = bytes([key_no, key_version, _PLAIN_HOST])
        self._three_parts(_AUTHENTICATE_HOST, 0, opening, key, _PLAIN_HOST)

    def _three_parts(self, ins: int, p1: int, opening: bytes, key: bytes, bound: int) -> None:
        """Both sides prove the key Kx (liblogicalaccess, AV2; AV3 likewise). `bound` stands in each MAC."""
        doing = "unlock" if ins == _LOCK_UNLOCK else "accept this host"
        tail = bytes([bound, 0, 0, 0])
        with self._turn:
            rnd2 = self._exchange(doing, ins, p1, opening, _MORE, 12)
            rnd1 = self._random_bytes(12)
            mac = crypto.MacKey(key).mact
            answer = self._exchange(doing, ins, 0, mac(rnd2 + tail) + rnd1, _MORE, 24)
            if not hmac.compare_digest(answer[:8], mac(rnd1 + tail)):
                raise SamRefused(doing, b"")
            kxe = _exchange_key(key, rnd1, rnd2)
            rnd_b = crypto.cbc_decrypt(kxe, answer[8:])
            rnd_a = self._random_bytes(16)
            proof = crypto.cbc_encrypt(kxe, rnd_a + rnd_b[2:] + rnd_b[:2])
            last = self._exchange(doing, ins, 0, proof, _OK, 16)
            if not hmac.compare_digest(crypto.cbc_decrypt(kxe, last), rnd_a[2:] + rnd_a[:2]):
                raise SamRefused(doing, b"")

    # --- for the handshake ---

    def open_authentication(self, data: bytes) -> bytes:
        """First part of SAM_AuthenticatePICC; what another card left unfinished is broken off. SamRefused."""
        if self._now_s() >= self._until_s:
            raise SamRefused("open a card: its time is over and it must be unlocked online", b"")
        with self._turn:
            if self._unfinished:
                self._transmit(bytes([_CLA, _BREAK_OFF, 0, 0, 0]))  # whatever it answers, nothing is open now
            self._unfinished = True
            p1 = _EV2_FIRST_DIVERSIFIED
            return self._exchange("open a card", _AUTHENTICATE_PICC, p1, data, _MORE, 32)

    def close_authentication(self, proof: bytes) -> bytes:
        """Second part, then the session: ENC ‖ MAC ‖ TI. CardNotGenuine if the module rejects the card."""
        if len(proof) != _PROOF_SIZE:
            raise SamRefused("check a proof that is not of EV2First", b"")
        with self._turn:
            self._unfinished = False
            answer = self._transmit(bytes([_CLA, _AUTHENTICATE_PICC, 0, 0, len(proof)]) + proof + b"\0")
            if answer[-2:] in _NOT_GENUINE:
                raise CardNotGenuine
            if answer[-2:] != _OK or len(answer) != _CAPABILITIES_SIZE + 2:
                raise SamRefused("check a card's proof", answer[-2:])
            answer = self._transmit(bytes([_CLA, _DUMP_SESSION_KEY, 0, 0, 0]))
        if answer[-2:] != _OK or len(answer) < _SESSION_SIZE + 2:
            raise SamRefused("hand over a session", answer[-2:])
        return answer[:_SESSION_SIZE]

    def _exchange(self, doing: str, ins: int, p1: int, data: bytes, status: bytes, size: int) -> bytes:
        answer = self._transmit(bytes([_CLA, ins, p1, 0, len(data)]) + data + b"\0")
        if answer[-2:] != status or len(answer) != size + 2:
            raise SamRefused(doing, answer[-2:])
        return answer[:-2]


class _SamCardKey:
    """One card's k1, inside the module."""

    __slots__ = ("_entry", "_input", "_store", "_version")

    def __init__(self, store: SamKeyStore, entry: int, version: int, diversification: bytes) -> None:
        self._store, self._entry, self._version, self._input = store, entry, version, diversification

    def handshake(self, rnd_a: bytes) -> Handshake:
        """See CardKey; the module draws RndA itself, so the one given is left."""
        return _SamHandshake(self._store, bytes([self._entry, self._version]), self._input)

    def reveal(self) -> bytes:
        """Raises KeySealed."""
        raise KeySealed(KeyPurpose.VALIDATOR)


class _SamHandshake:
    """One authentication, its arithmetic inside the module."""

    __slots__ = ("_input", "_named", "_store")

    def __init__(self, store: SamKeyStore, named: bytes, diversification: bytes) -> None:
        self._store, self._named, self._input = store, named, diversification

    def answer(self, challenge: bytes) -> bytes:
        """See Handshake. Raises SamRefused."""
        return self._store.open_authentication(self._named + _EV2_NO_LRP + challenge + self._input)

    def conclude(self, proof: bytes) -> Agreement:
        """See Handshake. Raises SamRefused beside."""
        keys = self._store.close_authentication(proof)
        return Agreement(keys[32:36], keys[:16], keys[16:32])


def _exchange_key(key: bytes, rnd1: bytes, rnd2: bytes) -> bytes:
    """Kxe of a host authentication: one block under Kx."""
    mixed = bytes(one ^ other for one, other in zip(rnd1[:5], rnd2[:5], strict=True))
    return crypto.cbc_encrypt(key, rnd1[7:12] + rnd2[7:12] + mixed + b"\x91")
