from __future__ import annotations

from fare.core.desfire import errors

NAMED = {
    0x0C: errors.NoChanges,
    0x0E: errors.OutOfMemory,
    0x1C: errors.IllegalCommand,
    0x1E: errors.IntegrityError,
    0x40: errors.NoSuchKey,
    0x7E: errors.LengthError,
    0x9D: errors.PermissionDenied,
    0x9E: errors.ParameterError,
    0xA0: errors.NoSuchApplication,
    0xAD: errors.AuthenticationDelayed,
    0xAE: errors.AuthenticationFailed,
    0xBE: errors.BoundaryError,
    0xCA: errors.CommandAborted,
    0xDE: errors.Duplicate,
    0xEE: errors.MemoryFailure,
    0xF0: errors.NoSuchFile,
}


def test_every_status_becomes_one_sentence_with_advice() -> None:
    for status in range(1, 256):
        fault = errors.card_answered(status, 0xDC)
        assert type(fault) is NAMED.get(status, errors.CardAnswered)
        assert fault.status == status
        assert fault.command == "Debit (DC)"
        assert fault.advice in str(fault)
        assert f"({status:02X})" in str(fault)


def test_a_command_without_a_name_is_shown_by_its_byte() -> None:
    assert "command 99" in str(errors.card_answered(0x1C, 0x99))
