"""The files in examples/ci are valid, and their command lines name options that exist."""

from pathlib import Path

import pytest

from img.adapters.dockerfile_parser.dockerfile_parse import DockerfileParseParser
from img.domain.dockerfile.instructions import User
from img.domain.dockerfile.interpret import interpret
from tests.docs.test_blocks import problems_of_command
from tests.support.ci_examples import EXAMPLES, documents_in, scripts_in
from tests.support.host.machine import REPOSITORY

_JENKINS = "Jenkinsfile"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_valid_and_runs_img(example: Path) -> None:
    text = example.read_text()
    is_jenkins = example.name == _JENKINS

    assert all(isinstance(each, dict) for each in documents_in(text, jenkins=is_jenkins))
    scripts = scripts_in(text, jenkins=is_jenkins)
    assert scripts
    assert [p for script in scripts for p in problems_of_command(script)] == []


@pytest.mark.parametrize("kind", ["restricted", "baseline", "userns"])
def test_a_pod_asks_for_no_privileges(kind: str) -> None:
    example = REPOSITORY / f"examples/ci/kubernetes-{kind}.yaml"
    (job,) = documents_in(example.read_text(), jenkins=False)
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    asked = container["securityContext"]

    assert not asked.get("privileged")
    assert "add" not in asked.get("capabilities", {})
    if kind == "restricted":  # Kubernetes, "Pod Security Standards"
        assert asked["runAsNonRoot"] is True
        assert asked["allowPrivilegeEscalation"] is False
        assert asked["capabilities"]["drop"] == ["ALL"]
        assert asked["seccompProfile"]["type"] == "RuntimeDefault"


def test_the_dockerfile_of_the_image_is_valid() -> None:
    text = (REPOSITORY / "Dockerfile").read_bytes()

    *_, last = interpret(DockerfileParseParser().parse(text)).stages
    (user,) = [each for each in last.instructions if isinstance(each, User)]
    assert user.user == "1000:0"
