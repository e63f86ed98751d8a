"""A PKCS#11 token that keeps the ledger's keys: masters never leave it. It shows no PIN and no key.

    mancard-k1-v2 …       AES-128, sensitive. A card's key is AN10922 of its UID, computed inside:
                          CKM_AES_CMAC over 01 ‖ M, which is right for the 17 to 31 bytes of our M.
    mancard-card-issuer … Ed25519 (CKM_EDDSA), signing inside

No master is extractable, but for k1: a validator needs it, so it may leave wrapped under the public RSA key
of the validator's own token (CKM_RSA_PKCS_OAEP), and never in the clear. Measured with SoftHSM 2.6: 28 µs for
a card's key, 0.2 ms for a signature. Its library, python-pkcs11, is the extra `pkcs11`.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from fare.core.errors import OperatorError
from fare.settings import KeySettings

try:
    import pkcs11
    from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass
    from pkcs11 import exceptions as pkcs11_faults
except ModuleNotFoundError as _missing:  # pragma: no cover - the tests have it
    raise OperatorError(
        "Keys in a PKCS#11 token need the library python-pkcs11: install Mancard with its extra 'pkcs11'."
    ) from _missing

PREFIX: Final = "mancard-"
_ED25519_OID: Final = bytes.fromhex("06032b6570")  # RFC 8410: 1.3.101.112
_MAX_PIN_BYTES: Final = 256

T = TypeVar("T")

# A process logs in once a token, and all its sessions share that: closing the one that logged in would end it
# for all, so that one is kept for as long as the process lives.
_logins: dict[tuple[str, str], Any] = {}

_LOST: Final = (
    pkcs11_faults.SessionHandleInvalid,
    pkcs11_faults.SessionClosed,
    pkcs11_faults.DeviceRemoved,
    pkcs11_faults.TokenNotPresent,
    pkcs11_faults.UserNotLoggedIn,
    pkcs11_faults.KeyHandleInvalid,
    pkcs11_faults.ObjectHandleInvalid,
)


class NoSuchKey(Exception):
    """The token holds no key of this label."""


class Token:
    """One token, logged in. Any thread may use it; they take turns: a session does one thing at a time."""

    def __init__(self, module: str, label: str, pin: str) -> None:
        """Log in. Raises OperatorError that says what is wrong with the module, the label or the PIN."""
        self._module, self._label, self._pin = module, label, pin
        self._turn = threading.RLock()
        self._session: Any = None
        self._found: dict[tuple[str, Any], Any] = {}
        self._use(lambda session: session)

    @property
    def label(self) -> str:
        """The token's label."""
        return self._label

    def labels(self) -> set[str]:
        """Which of our keys it holds, by label without the prefix."""

        def look(session: Any) -> set[str]:
            found: set[str] = set()
            for kind in (ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY):
                found |= {str(key.label) for key in session.get_objects({Attribute.CLASS: kind})}
            return {label.removeprefix(PREFIX) for label in found if label.startswith(PREFIX)}

        return self._use(look)

    # --- secret masters ---

    def mac(self, label: str, message: bytes) -> bytes:
        """AES-CMAC (16 bytes) of `message` under a master, computed inside. Raises NoSuchKey."""
        return self._use(
            lambda session: bytes(
                self._key(session, label, ObjectClass.SECRET_KEY).sign(message, mechanism=Mechanism.AES_CMAC)
            )
        )

    def generate_master(self, label: str, *, wrappable: bool = False) -> None:
        """Draw an AES-128 master inside the token."""
        template = _master_template(wrappable)
        self._change(
            lambda session: session.generate_key(
                KeyType.AES, 128, label=PREFIX + label, store=True, template=template
            )
        )

    def import_master(self, label: str, value: bytes, *, wrappable: bool = False) -> None:
        """Put a master that was made elsewhere into the token."""
        attributes = {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.VALUE: value,
            Attribute.TOKEN: True,
            Attribute.PRIVATE: True,
            Attribute.LABEL: PREFIX + label,
        }
        self._change(lambda session: session.create_object(attributes | _master_template(wrappable)))

    def wrap(self, label: str, public_key: RSAPublicKey) -> bytes:
        """A wrappable master under another token's RSA key: RSA-OAEP with SHA-1, which every token knows."""
        numbers = public_key.public_numbers()
        attributes = {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.MODULUS: numbers.n.to_bytes(public_key.key_size // 8, "big"),
            Attribute.PUBLIC_EXPONENT: numbers.e.to_bytes(4, "big").lstrip(b"\0"),
            Attribute.WRAP: True,
            Attribute.TOKEN: False,
        }

        def wrap(session: Any) -> bytes:
            master = self._key(session, label, ObjectClass.SECRET_KEY)
            wrapping = session.create_object(attributes)
            return bytes(
                wrapping.wrap_key(
                    master,
                    mechanism=Mechanism.RSA_PKCS_OAEP,
                    mechanism_param=(Mechanism.SHA_1, MGF.SHA1, None),
                )
            )

        return self._use(wrap)

    def destroy(self, labels: Iterable[str]) -> None:
        """Destroy these masters; one that is not there is no error."""

        def destroy(session: Any) -> None:
            for label in labels:
                wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: PREFIX + label}
                for key in list(session.get_objects(wanted)):
                    key.destroy()

        self._change(destroy)

    # --- signing keys ---

    def signer(self, label: str) -> TokenSigner:
        """A signing key of the token. Raises OperatorError when it holds none of this label."""
        try:
            return TokenSigner(self, label)
        except NoSuchKey:
            raise OperatorError(
                f"The token {self._label} holds no key {PREFIX}{label}: use the token that this ledger's keys"
                " were made in, or restore its backup."
            ) from None

    def generate_signer(self, label: str) -> None:
        """Draw an Ed25519 pair inside the token. Raises OperatorError for a token that knows no Ed25519."""
        private = _signer_template()

        def generate(session: Any) -> None:
            curve = session.create_domain_parameters(
                KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _ED25519_OID}, local=True
            )
            curve.generate_keypair(
                mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
                label=PREFIX + label,
                store=True,
                private_template=private,
            )

        self._change(generate)

    def import_signer(self, label: str, key: Ed25519PrivateKey) -> None:
        """Put an Ed25519 key that was made elsewhere into the token, with its public half."""
        shared = {
            Attribute.KEY_TYPE: KeyType.EC_EDWARDS,
            Attribute.EC_PARAMS: _ED25519_OID,
            Attribute.TOKEN: True,
            Attribute.LABEL: PREFIX + label,
        }
        private = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.VALUE: key.private_bytes_raw()}
        point = b"\x04\x20" + key.public_key().public_bytes_raw()
        public = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.EC_POINT: point, Attribute.VERIFY: True}

        def create(session: Any) -> None:
            session.create_object(shared | private | _signer_template() | {Attribute.PRIVATE: True})
            session.create_object(shared | public)

        self._change(create)

    def sign(self, label: str, data: bytes) -> bytes:
        """An Ed25519 signature of 64 bytes, made inside. Raises NoSuchKey."""
        return self._use(
            lambda session: bytes(
                self._key(session, label, ObjectClass.PRIVATE_KEY).sign(data, mechanism=Mechanism.EDDSA)
            )
        )

    def destroy_signer(self, label: str) -> None:
        """Destroy a signing key, both halves; one that is not there is no error."""

        def destroy(session: Any) -> None:
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
                for key in list(
                    session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: PREFIX + label})
                ):
                    key.destroy()

        self._change(destroy)

    def public_bytes(self, label: str) -> bytes:
        """The public half of a signing key, 32 bytes. Raises NoSuchKey."""
        return self._use(
            lambda session: bytes(self._key(session, label, ObjectClass.PUBLIC_KEY)[Attribute.EC_POINT])[-32:]
        )

    # --- sessions ---

    def _key(self, session: Any, label: str, kind: Any) -> Any:
        """The handle of a key, looked up once a session: looking costs twenty times as much as a CMAC."""
        if (label, kind) not in self._found:
            try:
                self._found[label, kind] = session.get_key(label=PREFIX + label, object_class=kind)
            except pkcs11_faults.NoSuchKey:
                raise NoSuchKey(label) from None
        return self._found[label, kind]

    def _use(self, operation: Callable[[Any], T]) -> T:
        """Run an operation; once more, in a new session, if the old one or a handle in it is gone."""
        with self._turn:
            try:
                return self._attempt(operation)
            except _LOST:
                self._session = None
                self._found.clear()
            try:
                return self._attempt(operation)
            except pkcs11_faults.PKCS11Error as fault:
                raise self._fault(fault) from fault

    def _attempt(self, operation: Callable[[Any], T]) -> T:
        try:
            if self._session is None:
                self._session = self._open()
            return operation(self._session)
        except _LOST:
            raise
        except pkcs11_faults.PKCS11Error as fault:
            raise self._fault(fault) from fault

    def _change(self, operation: Callable[[Any], object]) -> None:
        """Run an operation that changes the token, in a session of its own that may."""
        with self._turn:
            self._use(lambda session: list(session.get_objects({Attribute.LABEL: PREFIX})))  # still there?
            try:
                session = self._open(rw=True)
                try:
                    operation(session)
                finally:
                    session.close()
                    self._found.clear()
            except pkcs11_faults.PKCS11Error as fault:
                raise self._fault(fault) from fault

    def _open(self, *, rw: bool = False) -> Any:
        try:
            token: Any = self._library().get_token(token_label=self._label)
            with contextlib.suppress(pkcs11_faults.UserAlreadyLoggedIn):
                _logins[self._module, self._label] = token.open(user_pin=self._pin)
            return token.open(rw=rw)
        except pkcs11_faults.NoSuchToken:
            raise OperatorError(
                f"The PKCS#11 module {self._module} shows no token {self._label!r}: check the label, and that"
                " the device is plugged in."
            ) from None
        except (pkcs11_faults.PinIncorrect, pkcs11_faults.PinLenRange, pkcs11_faults.PinInvalid):
            raise OperatorError(
                f"The token {self._label} does not take the PIN: correct it before you try again, since a"
                " token locks itself after a few wrong ones."
            ) from None
        except pkcs11_faults.PinLocked:
            raise OperatorError(
                f"The PIN of the token {self._label} is locked: its security officer must set a new one."
            ) from None

    def _library(self) -> Any:
        try:
            return pkcs11.lib(self._module)
        except (OSError, RuntimeError):
            raise OperatorError(
                f"The PKCS#11 module {self._module} cannot be loaded: give the file of the token's library."
            ) from None

    def _fault(self, fault: Exception) -> OperatorError:
        return OperatorError(
            f"The token {self._label} refused ({type(fault).__name__}): check that it is plugged in and knows"
            " AES-CMAC and Ed25519."
        )


class TokenSigner:
    """An Ed25519 key inside a token; has the shape of an Ed25519PrivateKey as far as signing goes."""

    def __init__(self, token: Token, label: str) -> None:
        """Raises NoSuchKey."""
        self._token, self._label = token, label
        self._public = Ed25519PublicKey.from_public_bytes(token.public_bytes(label))

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes over `data`."""
        return self._token.sign(self._label, data)

    def public_key(self) -> Ed25519PublicKey:
        """The key that verifies."""
        return self._public


def open_token(settings: KeySettings) -> Token:
    """The token of these settings, logged in. Raises OperatorError."""
    if not settings.module or not settings.token:
        raise OperatorError("No token is named: set MANCARD_KEYS_MODULE and MANCARD_KEYS_TOKEN.")
    return Token(str(settings.module), settings.token, _pin(settings))


def _pin(settings: KeySettings) -> str:
    if settings.pin_file is None:
        if settings.pin is None:
            raise OperatorError("The token's PIN is not given: set MANCARD_KEYS_PIN_FILE.")
        return settings.pin.get_secret_value()
    try:
        handle = os.open(settings.pin_file, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as opened:
            mode = stat.S_IMODE(os.fstat(handle).st_mode)
            content = opened.read(_MAX_PIN_BYTES)
    except OSError as fault:
        raise OperatorError(
            f"The PIN file {settings.pin_file} cannot be read ({fault.strerror}): let this account own it."
        ) from None
    if mode & 0o077:
        raise OperatorError(
            f"The PIN file {settings.pin_file} is open to other accounts: run 'chmod 600' on it."
        )
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise OperatorError(f"The PIN file {settings.pin_file} does not hold a PIN.") from None


def _master_template(wrappable: bool) -> dict[Any, Any]:
    """Signs (which is CMAC) and nothing else: an AES master that also decrypted would give itself away."""
    return {
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: wrappable,
        Attribute.SIGN: True,
        Attribute.VERIFY: False,
        Attribute.ENCRYPT: False,
        Attribute.DECRYPT: False,
        Attribute.WRAP: False,
        Attribute.UNWRAP: False,
        Attribute.DERIVE: False,
    }


def _signer_template() -> dict[Any, Any]:
    return {
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.SIGN: True,
        Attribute.DERIVE: False,
    }
