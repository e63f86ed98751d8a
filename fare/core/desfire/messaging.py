"""EV2 secure messaging: one authenticated session, its counter, its MACs and its ciphers. Never knows a file.

- MAC mode: command MACt over `INS ‖ CmdCtr(2) ‖ TI ‖ header ‖ data`, answer MACt over `00 ‖ CmdCtr+1 ‖ TI ‖
  data`.
- Full mode: the same over the ciphertext; data is padded with `80 00 …` always, and nothing is enciphered
  where there is no data.
- Plain: nothing is added, yet CmdCtr advances.

Any error status, wrong MAC or torn card ends the session: what follows raises SessionOver. Readings of open
bytes: an answer in several frames carries one MAC after the last of them, and AF frames carry neither MAC nor
counter of their own.
"""

from __future__ import annotations

import hmac

from fare.core.desfire import crypto
from fare.core.desfire.errors import MalformedAnswer, SessionOver, WrongResponseMac
from fare.core.desfire.frames import MAX_FRAME_SIZE, Conversation, exchange
from fare.core.desfire.opcodes import CommMode

_MAX_CMD_CTR = 0xFFFF


class Ev2Session:
    """The state both ends share after AuthenticateEV2First: TI, CmdCtr and two session keys.

    `frame_size` is how many bytes one command frame carries; it may be lowered at any time.
    """

    __slots__ = ("_mac", "_ses_enc", "alive", "cmd_ctr", "frame_size", "ti")

    def __init__(
        self, ti: bytes, cmd_ctr: int, ses_enc: bytes, ses_mac: bytes, frame_size: int = MAX_FRAME_SIZE
    ) -> None:
        self.ti = ti
        self.cmd_ctr = cmd_ctr
        self.alive = True
        self.frame_size = frame_size
        self._ses_enc = ses_enc
        self._mac = crypto.MacKey(ses_mac)

    def __repr__(self) -> str:
        return f"Ev2Session(ti={self.ti.hex()}, cmd_ctr={self.cmd_ctr}, alive={self.alive})"

    def end(self) -> None:
        """Nothing more may be said in this session."""
        self.alive = False

    def wrap(self, ins: int, header: bytes, data: bytes, mode: CommMode) -> bytes:
        """The command's data field as it goes on the air; CmdCtr is advanced by `unwrap`."""
        if not self.alive or self.cmd_ctr >= _MAX_CMD_CTR:
            self.end()
            raise SessionOver
        if mode is CommMode.PLAIN:
            return header + data
        if mode is CommMode.FULL and data:
            iv = crypto.command_iv(self._ses_enc, self.ti, self.cmd_ctr)
            data = crypto.cbc_encrypt(self._ses_enc, crypto.pad(data), iv)
        body = header + data
        return body + self._mac.mact(bytes([ins]) + self._counter() + self.ti + body)

    def unwrap(self, ins: int, answer: bytes, mode: CommMode) -> bytes:
        """Advance CmdCtr, check the answer's MAC, decipher; raises WrongResponseMac or MalformedAnswer."""
        self.cmd_ctr += 1
        if mode is CommMode.PLAIN:
            return answer
        body, mact = answer[: -crypto.MAC_SIZE], answer[-crypto.MAC_SIZE :]
        expected = self._mac.mact(b"\x00" + self._counter() + self.ti + body)
        if len(answer) < crypto.MAC_SIZE or not hmac.compare_digest(mact, expected):
            self.end()
            raise WrongResponseMac(ins)
        if mode is CommMode.MAC or not body:
            return body
        try:
            iv = crypto.response_iv(self._ses_enc, self.ti, self.cmd_ctr)
            return crypto.unpad(crypto.cbc_decrypt(self._ses_enc, body, iv))
        except ValueError as fault:
            self.end()
            raise MalformedAnswer(ins, str(fault)) from fault

    def command(
        self, ins: int, header: bytes = b"", data: bytes = b"", mode: CommMode = CommMode.MAC
    ) -> Conversation[bytes]:
        """Send one command in `mode` and return the answer's plain data."""
        try:
            answer = yield from exchange(ins, self.wrap(ins, header, data, mode), self.frame_size)
            return self.unwrap(ins, answer, mode)
        except BaseException:
            self.end()
            raise

    def last_command(
        self,
        ins: int,
        header: bytes,
        data: bytes = b"",
        mode: CommMode = CommMode.FULL,
        mac_allowed: bool = False,
    ) -> Conversation[None]:
        """Send a command that ends the session and is answered with no data: its own key changes, say.

        `mac_allowed`: whether the card still signs that answer is not known, and a MAC is checked if there
        is one.
        """
        try:
            answer = yield from exchange(ins, self.wrap(ins, header, data, mode), self.frame_size)
            if answer and mac_allowed:
                answer = self.unwrap(ins, answer, mode)
            if answer:
                raise MalformedAnswer(ins, "data where none belongs")
        finally:
            self.end()

    def _counter(self) -> bytes:
        return self.cmd_ctr.to_bytes(2, "little")
