"""The private halves of channel keys inside a PKCS#11 token. None of them ever leaves it."""

from __future__ import annotations

from fare.keys.channels import name_of
from fare.keys.token import Token, TokenSigner


class TokenChannels:
    """A ChannelPlace: keys named mancard-channel, mancard-channel-5 … in one token."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def holds(self, kid: int) -> bool:
        """See ChannelPlace."""
        return name_of(kid) in self._token.labels()

    def make(self, kid: int) -> TokenSigner:
        """See ChannelPlace."""
        self.destroy(kid)
        self._token.generate_signer(name_of(kid))
        return self.open(kid)

    def open(self, kid: int) -> TokenSigner:
        """See ChannelPlace."""
        return self._token.signer(name_of(kid))

    def destroy(self, kid: int) -> None:
        """See ChannelPlace."""
        self._token.destroy_signer(name_of(kid))
