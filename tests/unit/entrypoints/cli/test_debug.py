"""Settings that ``img debug`` takes from the record of a build."""

from pathlib import Path

from img.domain.history.record import BuildRecord
from img.domain.process import Resolver
from img.entrypoints.cli.debug import surroundings_of
from img.entrypoints.settings import Surroundings


def surroundings(options: dict[str, object]) -> Surroundings:
    return surroundings_of(BuildRecord(id="a", started=1.0, options=options))


def test_name_servers_and_certificates_are_those_of_the_build(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    options = {"dns": ["192.0.2.1", ""], "dns_search": ["."], "directory": str(tmp_path)}

    assert surroundings({}) == surroundings({"inject_ca": "0"}) == Surroundings()
    assert surroundings({"inject_ca": "true"}).inject_ca == "true"
    assert surroundings({**options, "inject_ca": "ca.pem"}) == Surroundings(
        resolver=Resolver(servers=("192.0.2.1",), domains=()), inject_ca=f"{tmp_path}/ca.pem"
    )
