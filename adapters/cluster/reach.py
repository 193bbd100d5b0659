"""Checks whether a scheduler can be reached; the errors of Dask give no reasons."""

import socket
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

from img.application.ports.cluster import ClusterError

_GREETING_S = 2.0  # a scheduler of Dask speaks first


def check_scheduler(address: str, tls: ssl.SSLContext | None, timeout_s: float) -> None:
    """Raise ClusterError with the reason if no scheduler can be reached at ``address``.

    ``tls`` is the context of a client for ``tls://``. A scheduler that is slow passes: Dask waits
    for it.
    """
    url = urlsplit(address)
    assert url.hostname is not None and url.port is not None
    place = url.hostname, url.port
    try:
        connection = socket.create_connection(place, timeout=timeout_s)
    except TimeoutError:
        raise unreachable(address, f"there is no answer within {timeout_s:g} s") from None
    except OSError as error:  # also a name that does not exist
        raise unreachable(address, (error.strerror or str(error)).lower()) from None
    except UnicodeError:  # of the codec "idna"
        raise unreachable(address, "no host can have this name") from None
    with connection:
        if tls is not None:
            _check_tls(address, connection, tls)
        elif not _greets(connection) and _speaks_tls(place, timeout_s):
            raise ClusterError(
                f"the scheduler at {address} uses TLS",
                hint=f"name it tls://{url.netloc}, with ca, cert and key in [cluster] of the "
                "settings file",
            )


def _check_tls(address: str, connection: socket.socket, tls: ssl.SSLContext) -> None:
    try:
        with tls.wrap_socket(connection) as secured:
            secured.recv(1)  # with TLS 1.3, the certificate of a client is refused after all else
    except ssl.SSLCertVerificationError as error:
        raise _distrusted(
            f"the certificate of {address} is not trusted: {error.verify_message}"
        ) from None
    except TimeoutError:
        pass
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if "alert" in reason:
            raise _distrusted(
                f"the scheduler {address} refuses the certificate: {reason}"
            ) from None
        raise ClusterError(
            f"the scheduler at {address} does not use TLS: {reason}",
            hint=f"start it with `dask scheduler --protocol tls`, or name it tcp://{address[6:]}",
        ) from None
    except OSError as error:
        raise unreachable(address, (error.strerror or str(error)).lower()) from None


def _greets(connection: socket.socket) -> bool:
    connection.settimeout(_GREETING_S)
    with suppress(OSError):
        return bool(connection.recv(1))
    return False


def _speaks_tls(place: tuple[str, int], timeout_s: float) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        suppress(OSError),
        socket.create_connection(place, timeout=timeout_s) as connection,
        context.wrap_socket(connection),
    ):
        return True
    return False


def unreachable(address: str, reason: str) -> ClusterError:
    """Return the error of a scheduler that does not answer."""
    return ClusterError(
        f"no scheduler of Dask answers at {address}: {reason}",
        hint="start one with `dask scheduler`, and workers with `img worker ADDRESS`",
    )


def _distrusted(message: str) -> ClusterError:
    return ClusterError(
        message,
        hint="ca, cert and key in [cluster] of the settings file have to be those of its authority",
    )
