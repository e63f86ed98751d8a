"""What no virtual reader can tell, as the bytes that real ones give."""

from __future__ import annotations

from readers.pcsc.direct import firmware_version


def test_a_firmware_version_is_read_as_binary_coded_decimal() -> None:
    # An ACR122U with bcdDevice 2.14: libccid shifts it into the upper half of a little-endian number.
    assert firmware_version(bytes.fromhex("00001402")) == "2.14"
    assert firmware_version(b"") == ""
