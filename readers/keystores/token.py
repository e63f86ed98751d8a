"""The cards' keys of a validator in its own PKCS#11 token: k1's masters alone, and none of them leaves it.

    mancard-transport   an RSA pair made in the token: the ledger wraps k1 under its public half
    mancard-k1-v2 …     k1's masters, taken in wrapped, not extractable, good for CKM_AES_CMAC alone

A card's key is AN10922 of its UID: CMAC over 01 ‖ M, computed inside. The library python-pkcs11 is the extra
`pkcs11`. It shows no PIN and no key.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from fare.core.desfire.keys import CardKey, KeyNotHeld, KeyPurpose, SecretKey, diversification_input
from fare.core.desfire.layout import AID
from fare.core.errors import OperatorError
from fare.core.kit import TokenKeys
from readers.ports import KeyStoreFault

try:
    import pkcs11
    from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass
    from pkcs11 import exceptions as pkcs11_faults
except ModuleNotFoundError as _missing:  # pragma: no cover - the tests have it
    raise OperatorError(
        "Keys in a PKCS#11 token need the library python-pkcs11: install Mancard with its extra 'pkcs11'."
    ) from _missing

TRANSPORT: Final = "mancard-transport"
_MASTER: Final = "mancard-k1-v"
_RSA_BITS: Final = 2048
_OAEP: Final = (Mechanism.SHA_1, MGF.SHA1, None)
_LOST: Final = (
    pkcs11_faults.SessionHandleInvalid,
    pkcs11_faults.SessionClosed,
    pkcs11_faults.DeviceRemoved,
    pkcs11_faults.TokenNotPresent,
    pkcs11_faults.UserNotLoggedIn,
    pkcs11_faults.KeyHandleInvalid,
    pkcs11_faults.ObjectHandleInvalid,
)

T = TypeVar("T")

# A process logs in once a token, and all its sessions share that: closing the one that logged in would end it
# for all, so that one is kept for as long as the process lives.
_logins: dict[tuple[str, str], Any] = {}


class TokenKeyStore:
    """k1's masters in a token. A CardKeyStore; it does one thing at a time, whichever thread asks."""

    def __init__(self, keys: TokenKeys, pin: str) -> None:
        """Log in, take in the masters that are new, drop those that the kit no longer names.

        Raises OperatorError that says what is wrong with the module, the token, the PIN or the kit.
        """
        self._keys, self._pin = keys, pin
        self._turn = threading.Lock()
        self._session: Any = None
        self._masters: dict[int, Any] = {}
        with self._turn:
            self._bring_up_to_date()

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return self._keys.versions

    @property
    def current(self) -> int:
        """See CardKeyStore; a validator makes no card."""
        return self._keys.current

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """See CardKeyStore. Raises KeyStoreFault when the token is gone."""
        if purpose is not KeyPurpose.VALIDATOR or version not in self._keys.wrapped:
            raise KeyNotHeld(purpose, version)
        message = b"\x01" + diversification_input(uid, AID, self._keys.system_id)
        return SecretKey(self._use(lambda session: self._mac(session, version, message)))

    def _mac(self, session: Any, version: int, message: bytes) -> bytes:
        if version not in self._masters:
            self._masters[version] = _find(session, f"{_MASTER}{version}", ObjectClass.SECRET_KEY)
        return bytes(self._masters[version].sign(message, mechanism=Mechanism.AES_CMAC))

    def _bring_up_to_date(self) -> None:
        try:
            session = _open(self._keys.module, self._keys.token, self._pin, rw=True)
            try:
                held = _masters(session)
                for version in self._keys.wrapped.keys() - held.keys():
                    self._take_in(session, version)
                for version in held.keys() - self._keys.wrapped.keys():
                    held[version].destroy()
            finally:
                session.close()
        except pkcs11_faults.PKCS11Error as fault:
            raise _refused(self._keys.token, fault) from fault

    def _take_in(self, session: Any, version: int) -> None:
        private = _find(session, TRANSPORT, ObjectClass.PRIVATE_KEY)
        template = {
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.SIGN: True,
            Attribute.VERIFY: False,
            Attribute.ENCRYPT: False,
            Attribute.DECRYPT: False,
            Attribute.WRAP: False,
            Attribute.UNWRAP: False,
            Attribute.DERIVE: False,
        }
        try:
            private.unwrap_key(
                ObjectClass.SECRET_KEY,
                KeyType.AES,
                self._keys.wrapped[version],
                label=f"{_MASTER}{version}",
                store=True,
                mechanism=Mechanism.RSA_PKCS_OAEP,
                mechanism_param=_OAEP,
                template=template,
            )
        except pkcs11_faults.PKCS11Error as fault:
            raise OperatorError(
                f"The card keys of generation {version} were not wrapped for the token {self._keys.token}"
                f" ({type(fault).__name__}): make them again with 'mancard fleet card-keys'"
                " and the public key of this very token as --token-key."
            ) from fault

    def _use(self, operation: Callable[[Any], T]) -> T:
        """Run an operation; once more, in a new session, when the token had been away."""
        with self._turn:
            try:
                return self._attempt(operation)
            except (*_LOST, OperatorError):
                self._session = None
                self._masters.clear()
            try:
                return self._attempt(operation)
            except pkcs11_faults.PKCS11Error as fault:
                raise KeyStoreFault(str(_refused(self._keys.token, fault))) from fault
            except OperatorError as gone:
                raise KeyStoreFault(str(gone)) from gone

    def _attempt(self, operation: Callable[[Any], T]) -> T:
        if self._session is None:
            self._session = _open(self._keys.module, self._keys.token, self._pin)
        return operation(self._session)


def transport_key(module: str, token: str, pin: str) -> RSAPublicKey:
    """The public half of the token's transport pair, made at the first call. Raises OperatorError."""
    try:
        session = _open(module, token, pin, rw=True)
        try:
            if not list(session.get_objects(_wanted(TRANSPORT, ObjectClass.PRIVATE_KEY))):
                _make_transport_pair(session)
            public = _find(session, TRANSPORT, ObjectClass.PUBLIC_KEY)
            modulus, exponent = (
                int.from_bytes(bytes(public[part]), "big")
                for part in (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT)
            )
        finally:
            session.close()
    except pkcs11_faults.PKCS11Error as fault:
        raise _refused(token, fault) from fault
    return RSAPublicNumbers(exponent, modulus).public_key()


def _make_transport_pair(session: Any) -> None:
    session.generate_keypair(
        KeyType.RSA,
        _RSA_BITS,
        label=TRANSPORT,
        store=True,
        public_template={Attribute.WRAP: True, Attribute.ENCRYPT: False, Attribute.VERIFY: False},
        private_template={
            Attribute.UNWRAP: True,
            Attribute.DECRYPT: False,  # what it decrypted would be a master in the clear
            Attribute.SIGN: False,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
        },
    )


def _open(module: str, token: str, pin: str, *, rw: bool = False) -> Any:
    try:
        library: Any = pkcs11.lib(module)
    except (OSError, RuntimeError):
        raise OperatorError(
            f"The PKCS#11 module {module} cannot be loaded: install the token's library or correct the kit."
        ) from None
    try:
        found = library.get_token(token_label=token)
        with contextlib.suppress(pkcs11_faults.UserAlreadyLoggedIn):
            _logins[module, token] = found.open(user_pin=pin)
        return found.open(rw=rw)
    except pkcs11_faults.NoSuchToken:
        raise OperatorError(f"There is no token {token!r} here: plug it in or correct the kit.") from None
    except (pkcs11_faults.PinIncorrect, pkcs11_faults.PinLenRange, pkcs11_faults.PinInvalid):
        raise OperatorError(
            f"The token {token} does not take the PIN: correct it before you try again, since a token locks"
            " itself after a few wrong ones."
        ) from None
    except pkcs11_faults.PinLocked:
        raise OperatorError(f"The PIN of the token {token} is locked: it must be set anew.") from None


def _find(session: Any, label: str, kind: Any) -> Any:
    try:
        return session.get_key(label=label, object_class=kind)
    except pkcs11_faults.NoSuchKey:
        raise OperatorError(
            f"The token holds no key {label}: run 'mancard validator-token new' and bring new card keys."
        ) from None


def _masters(session: Any) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for key in session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY}):
        label = str(key.label)
        if label.startswith(_MASTER) and label.removeprefix(_MASTER).isdecimal():
            found[int(label.removeprefix(_MASTER))] = key
    return found


def _wanted(label: str, kind: Any) -> dict[Any, Any]:
    return {Attribute.LABEL: label, Attribute.CLASS: kind}


def _refused(token: str, fault: Exception) -> OperatorError:
    return OperatorError(
        f"The token {token} refused ({type(fault).__name__}): check that it is plugged in and knows AES-CMAC"
        " and RSA-OAEP."
    )
