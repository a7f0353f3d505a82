"""
Mutual TLS: ``mtls:PORT:privateKey=…:certKey=…:trustRoots=…``.

Twisted's own ``ssl:`` shows a certificate and wants none. This one serves only who has one that
is signed by a root in ``trustRoots``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.plugin import IPlugin
from zope.interface import implementer

from txqmp.proxy.handshake import HandshakeFactory

HANDSHAKE_TIMEOUT = 10.0
"""Seconds that a handshake may take, where nothing else is said."""

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\r?\n.+?\r?\n-----END CERTIFICATE-----", re.DOTALL
)


@implementer(IStreamServerEndpoint)
class MutualTLSServerEndpoint:
    """
    Listens for clients that show a certificate; they are clients when that was found good.

    :param reactor: measures the time-out.
    :param endpoint: where they connect.
    :param options: of TLS, with the roots to trust.
    :param timeout: seconds that a handshake may take.
    """

    def __init__(
        self,
        reactor: Any,
        endpoint: IStreamServerEndpoint,
        options: Any,
        timeout: float = HANDSHAKE_TIMEOUT,
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._options = options
        self._timeout = timeout

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen.

        :returns: fails with :class:`~twisted.internet.error.CannotListenError`.
        """
        from twisted.protocols.tls import TLSMemoryBIOFactory

        shaking = HandshakeFactory(protocolFactory, self._reactor, self._timeout)
        return self._endpoint.listen(TLSMemoryBIOFactory(self._options, False, shaking))


def mtls(
    reactor: Any,
    port: str,
    privateKey: str = "server.pem",
    certKey: str | None = None,
    trustRoots: str | None = None,
    extraCertChain: str | None = None,
    interface: str = "",
    backlog: str = "50",
    timeout: str = str(HANDSHAKE_TIMEOUT),
) -> MutualTLSServerEndpoint:
    """
    Make the endpoint of what stands in its string. Its files are read now.

    The names are those of Twisted's ``ssl:`` and ``tls:``.

    :param privateKey: a file, PEM.
    :param certKey: a file, PEM; the same one where it is not given.
    :param trustRoots: who signs the clients' certificates: a file, PEM, or a folder of ``.pem``
        files.
    :param extraCertChain: a file, PEM: what is between our certificate and a root.
    :param timeout: seconds that a handshake may take.
    :raises ValueError: a file cannot be read, or is not what it should be; or what TLS is done
        with is not installed.
    """
    if trustRoots is None:
        raise ValueError("trustRoots=: a file or a folder of the clients' roots is wanted")
    options = tls_options(privateKey, certKey or privateKey, trustRoots, extraCertChain)
    make = TCP6ServerEndpoint if ":" in interface else TCP4ServerEndpoint
    endpoint = make(reactor, int(port), int(backlog), interface)
    return MutualTLSServerEndpoint(reactor, endpoint, options, float(timeout))


@implementer(IPlugin, IStreamServerEndpointStringParser)
class MutualTLSParser:
    """Reads ``mtls:PORT:…``."""

    prefix = "mtls"

    def parseStreamServer(self, reactor: Any, *args: Any, **kwargs: Any) -> MutualTLSServerEndpoint:
        """
        Make the endpoint.

        :raises ValueError: as :func:`mtls`.
        """
        return mtls(reactor, *args, **kwargs)


def tls_options(
    private_key: str, certificate: str, trust_roots: str, chain: str | None = None
) -> Any:
    """
    Make the options of TLS, 1.2 or later, for a server that wants certificates of its clients.

    :param private_key: as all of them a path; see :func:`mtls`.
    :raises ValueError: a file cannot be read, or is not what it should be; or what TLS is done
        with is not installed.
    """
    try:
        from OpenSSL.SSL import Error
        from twisted.internet.ssl import (
            Certificate,
            CertificateOptions,
            KeyPair,
            TLSVersion,
            trustRootFromCertificates,
        )
    except ImportError:
        raise ValueError("TLS takes more: pip install 'txqmp[tls]'") from None

    def certificates(paths: list[Path]) -> list[Any]:
        return [
            _made(Certificate.loadPEM, pem, path, "certificate")
            for path in paths
            for pem in _certificates_in(path)
        ]

    key = _made(lambda pem: KeyPair.load(pem, 1), _content(private_key), private_key, "private key")
    own = certificates([Path(certificate)])[0]
    options = CertificateOptions(
        privateKey=key.original,
        certificate=own.original,
        extraCertChain=[each.original for each in certificates([Path(chain)])] if chain else None,
        trustRoot=trustRootFromCertificates(certificates(_files(trust_roots))),
        raiseMinimumTo=TLSVersion.TLSv1_2,
    )
    try:
        options.getContext()
    except Error:
        raise ValueError(f"the key in {private_key} is not that of {certificate}") from None
    return options


def _content(path: str | Path) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None


def _files(path: str) -> list[Path]:
    found = sorted(Path(path).glob("*.pem")) if Path(path).is_dir() else [Path(path)]
    if not found:
        raise ValueError(f"{path}: there is no .pem file in it")
    return found


def _certificates_in(path: Path) -> list[bytes]:
    found = _CERTIFICATE.findall(_content(path))
    if not found:
        raise ValueError(f"{path}: there is no certificate in it (PEM)")
    return found


def _made(make: Callable[[bytes], Any], pem: bytes, path: str | Path, what: str) -> Any:
    try:
        return make(pem)
    except Exception:
        # The libraries below have as many sorts of errors as formats.
        raise ValueError(f"{path}: it is no {what} that can be read (PEM)") from None
