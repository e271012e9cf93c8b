"""TLS of our own streams: a context that resumes sessions, so that a new stream costs less."""

import ssl


class ResumingContext(ssl.SSLContext):
    """A client context for one server. It offers the last session again (RFC 8446, 2.2).

    A server that does not know the session makes a full handshake, as if none had been offered.
    Used on the stream loop only.
    """

    _last: ssl.SSLSession | None = None

    def remember(self, connection: ssl.SSLObject) -> None:
        """Offer the session of a connection that has received something, from now on."""
        session = connection.session
        if session is not None and session.has_ticket:
            self._last = session

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Called by asyncio for each connection."""
        return super().wrap_bio(
            incoming, outgoing, server_side, server_hostname, session or self._last
        )


def client_context(cafile: str | None, cadata: str | None) -> ResumingContext:
    """A context that trusts these authorities; those of this machine where neither is given.

    Raises ssl.SSLError or OSError.
    """
    context = ResumingContext(ssl.PROTOCOL_TLS_CLIENT)
    if cafile or cadata:
        context.load_verify_locations(cafile=cafile, cadata=cadata)
    else:
        context.load_default_certs()
    return context
