"""The one error that reaches a person at a terminal. It never carries a traceback or a secret."""

from __future__ import annotations


class OperatorError(Exception):
    """Something a person must put right: the message says what is wrong and what to do.

    Commands print the message alone and leave with exit status 2.
    """


class MalformedDocument(ValueError):
    """Bytes that are not a document of the stated format; the message names the field."""
