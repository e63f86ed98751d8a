"""EV2 secure messaging: transaction identifier, command counter, odd-byte CMACs (AN12343, AN12196)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from hardware.emulator.crypto import (
    BLOCK_BYTES,
    MAC_BYTES,
    decrypt_cbc,
    encrypt_cbc,
    message_iv,
    pad_80,
    short_mac,
    strip_80,
)
from hardware.emulator.session import CommMode
from hardware.emulator.status import CardRefusal, Status, require

COMMAND_LABEL = b"\xa5\x5a"
RESPONSE_LABEL = b"\x5a\xa5"
LAST_CMD_CTR = 0xFFFF


@dataclass(slots=True)
class Ev2Session:
    """``cmd_ctr`` counts completed commands since AuthenticateEV2First."""

    key_no: int
    ti: bytes
    ses_enc: bytes
    ses_mac: bytes
    cmd_ctr: int = 0

    def unwrap(self, mode: CommMode, ins: int, data: bytes, header_bytes: int) -> bytes:
        """As :meth:`hardware.emulator.session.Session.unwrap`; CA when the counter is used up."""
        require(self.cmd_ctr < LAST_CMD_CTR, Status.COMMAND_ABORTED)
        if mode is CommMode.PLAIN:
            return data
        require(len(data) >= MAC_BYTES, Status.LENGTH_ERROR)
        body, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        counter = self.cmd_ctr.to_bytes(2, "little")
        expected = short_mac(self.ses_mac, bytes((ins,)) + counter + self.ti + body)
        require(hmac.compare_digest(expected, mac), Status.INTEGRITY_ERROR)
        if mode is CommMode.MAC or len(body) <= header_bytes:
            return body
        cipher = body[header_bytes:]
        require(len(cipher) % BLOCK_BYTES == 0, Status.LENGTH_ERROR)
        iv = message_iv(self.ses_enc, COMMAND_LABEL, self.ti, self.cmd_ctr)
        plain = strip_80(decrypt_cbc(self.ses_enc, cipher, iv))
        if plain is None:
            raise CardRefusal(Status.INTEGRITY_ERROR)
        return body[:header_bytes] + plain

    def wrap(self, mode: CommMode, payload: bytes) -> bytes:
        """Count the command and return its response data as it travels."""
        self.cmd_ctr += 1
        if mode is CommMode.PLAIN:
            return payload
        if mode is CommMode.FULL and payload:
            iv = message_iv(self.ses_enc, RESPONSE_LABEL, self.ti, self.cmd_ctr)
            payload = encrypt_cbc(self.ses_enc, pad_80(payload), iv)
        counter = self.cmd_ctr.to_bytes(2, "little")
        return payload + short_mac(self.ses_mac, b"\x00" + counter + self.ti + payload)

    def wire_bytes(self, mode: CommMode, plain_bytes: int) -> int:
        """MAC mode adds 8 bytes, full mode pads to a further block and adds 8."""
        if mode is CommMode.PLAIN:
            return plain_bytes
        if mode is CommMode.MAC:
            return plain_bytes + MAC_BYTES
        return (plain_bytes // BLOCK_BYTES + 1) * BLOCK_BYTES + MAC_BYTES
