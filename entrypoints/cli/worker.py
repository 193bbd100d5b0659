"""``img worker``: this machine as a worker of a Dask cluster."""

import os
from typing import Annotated

import typer

from img.domain.errors import UsageError
from img.entrypoints.cli import commands
from img.entrypoints.cli.options import option
from img.entrypoints.cli.output import say
from img.entrypoints.cli.params import shared_options
from img.entrypoints.cli.session import Session


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        "worker",
        cls=commands.followed_by("tcp://HOST:PORT|tls://HOST:PORT"),
        short_help="Run steps of builds for a Dask cluster.",
    )(worker)


@shared_options
def worker(
    session: Session,
    address: Annotated[str, typer.Argument(hidden=True)] = "",
    name: Annotated[
        str, option("--name", says="Set the name that progress and logs show.", value="NAME")
    ] = "",
    nthreads: Annotated[
        int,
        option(
            "--nthreads",
            says="Run so many steps at a time (default: the number of processors).",
            value="NUMBER",
        ),
    ] = 0,
    memory_limit: Annotated[
        str,
        option(
            "--memory-limit",
            says="Announce this memory (default: all of this machine or group).",
            value="BYTES",
        ),
    ] = "",
    local_directory: Annotated[
        str, option("--local-directory", says="Put Dask's temporary files here.", value="DIR")
    ] = "",
    interface: Annotated[
        str, option("--interface", says="Use this network, such as eth0.", value="NAME")
    ] = "",
    protocol: Annotated[
        str, option("--protocol", says="Refuse an address of another protocol.", value="NAME")
    ] = "",
    death_timeout: Annotated[
        str,
        option(
            "--death-timeout", says="Give up when there is no scheduler after this time.", value="S"
        ),
    ] = "",
    tls_ca_file: Annotated[
        str, option("--tls-ca-file", says="Trust this certificate authority (PEM).", value="FILE")
    ] = "",
    tls_cert: Annotated[
        str, option("--tls-cert", says="Show this certificate (PEM).", value="FILE")
    ] = "",
    tls_key: Annotated[
        str, option("--tls-key", says="Use the key of the certificate (PEM).", value="FILE")
    ] = "",
    tls_stdin: Annotated[
        bool,
        option(
            "--tls-stdin",
            says="Read ca, cert and key from standard input, as JSON; stop at its end.",
        ),
    ] = False,
) -> None:
    """Run steps of builds for a Dask cluster, until its scheduler ends.

    The worker has a state of its own: --state, $IMG_STATE, or a directory for this machine.
    """
    from img.domain.options.cluster_address import parse_scheduler
    from img.entrypoints.wiring.without_container import cluster_worker

    if not address:
        raise UsageError("must pass an address", hint="such as `img worker tcp://head:8786`")
    scheduler = parse_scheduler(address, "address of `img worker`")
    if protocol and protocol.removesuffix("://") != ("tls" if scheduler.tls else "tcp"):
        raise UsageError(f"--protocol {protocol}: the address is {scheduler}")
    if nthreads < 0:
        raise UsageError(f"--nthreads {nthreads}: use a positive number")
    state = _state(session)
    os.environ["IMG_STATE"] = state  # for the processes that run steps
    cluster_worker(
        scheduler,
        name=name,
        slots=nthreads,
        memory=memory_limit,
        directory=local_directory,
        interface=interface,
        death_timeout_s=_seconds(death_timeout),
        ca=tls_ca_file,
        cert=tls_cert,
        key=tls_key,
        certificates_from_input=tls_stdin,
        state=state,
        on_joined=lambda own: say(
            f"worker {own} has joined {scheduler}; its state is {state}", error=True
        ),
        on_waiting=lambda: say(f"waiting for the scheduler {scheduler}", error=True),
    ).run()


def _state(session: Session) -> str:
    """Return the state directory: on a network file system, each machine needs its own."""
    if session.state or os.environ.get("IMG_STATE"):
        return str(session.state_path())
    default = session.state_path()
    return str(default.with_name(f"{default.name}-workers") / os.uname().nodename)


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise UsageError(f"--death-timeout {text}: use seconds, such as 60")
    return seconds
