"""Object stores on this machine: moto, rclone and swift for S3, azurite, and one like Google's."""

import os
import re
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.support.host.machine import installed_server, lacking
from tests.support.servers.gs_server import GoogleStorage
from tests.support.servers.swift_server import swift

# The account that azurite always has (Microsoft's documentation of the emulator).
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


_ACCESS = "region=us-east-1,use_path_style=true,access_key_id=test:tester,secret_access_key=testing"
_BUCKET = "bucket"
MORE = ("azblob", "rclone", "swift") if "IMG_TESTS_ALL" in os.environ else ()
"""The kinds of stores that only some runs have: their servers take long to install."""


@contextmanager
def object_store(kind: str) -> Iterator[str]:
    """Enter with the attributes of a cache in an empty bucket or container of its own."""
    if find_spec("obstore") is None:
        lacking("needs obstore (pip install -e '.[dev]')")
    stores = {"s3": _moto, "azblob": _azurite, "gs": _google, "rclone": _rclone, "swift": _swift}
    with stores[kind]() as attributes:
        yield attributes


@contextmanager
def _moto() -> Iterator[str]:
    if find_spec("moto") is None or find_spec("flask_cors") is None:
        lacking("needs moto and flask-cors (pip install -e '.[dev]')")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        _put(f"{url}/reset-bucket")
        yield (
            f"type=s3,region=us-east-1,bucket=reset-bucket,endpoint_url={url},"
            "use_path_style=true,access_key_id=a,secret_access_key=b"
        )
    finally:
        server.stop()


@contextmanager
def _google() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)  # other users build with it too
        with GoogleStorage().serving(Path(place, "account.json")) as attributes:
            yield attributes


@contextmanager
def _rclone() -> Iterator[str]:
    program = installed_server("rclone")
    with tempfile.TemporaryDirectory() as place:
        Path(place, "served", _BUCKET).mkdir(parents=True)
        command = [program, "--config", f"{place}/rclone.conf", "serve", "s3"]
        command += ["--auth-key", "test:tester,testing", "--addr", "127.0.0.1:0", f"{place}/served"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                line = next(each for each in process.stderr if "Starting s3 server" in each)
                (url,) = re.findall(r"\[(http.*)/\]", line)
                yield f"type=s3,bucket={_BUCKET},endpoint_url={url},{_ACCESS}"
            finally:
                process.terminate()


@contextmanager
def _swift() -> Iterator[str]:
    with swift() as url:
        _create_bucket(url)
        yield f"type=s3,bucket={_BUCKET},endpoint_url={url},{_ACCESS}"


def _create_bucket(url: str) -> None:
    """Create a bucket in a store that checks signatures."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test:tester",
        aws_secret_access_key="testing",
        config=Config(s3={"addressing_style": "path"}),
    )
    client.create_bucket(Bucket=_BUCKET)


@contextmanager
def _azurite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as place:
        command = [installed_server("azurite-blob"), "--skipApiVersionCheck", "--disableTelemetry"]
        command += ["--location", place, "--blobHost", "127.0.0.1", "--blobPort", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                line = next(each for each in process.stdout if "listens on" in each)
                url = line.split()[-1].rstrip("/") + f"/{_ACCOUNT}"
                yield (
                    f"type=azblob,account_url={url},account_name={_ACCOUNT},secret_access_key={_KEY}"
                )
            finally:
                process.terminate()


def _put(url: str) -> None:
    request = urllib.request.Request(url, method="PUT")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        answer.read()
