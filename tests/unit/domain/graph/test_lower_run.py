from dataclasses import replace

import pytest

from img.domain.errors import DockerfileError
from img.domain.filesystem.file_name import FileName
from img.domain.graph.operations import Exec, ExecMount, InlineFile, PullBase, ReadContext
from img.domain.graph.vertex import Plan
from img.domain.process import Network
from tests.support.plans import a_request, operation_of, plan_of


def run_of(text: str) -> Exec:
    operation = operation_of(plan_of(text))
    assert isinstance(operation, Exec)
    return operation


def shown_by(plan: Plan, mount: ExecMount) -> object:
    assert mount.input is not None
    return plan.graph.vertices[plan.graph.vertices[plan.target].inputs[mount.input]].operation


def test_the_shell_form_runs_in_the_shell_that_was_set_last() -> None:
    assert run_of("FROM busybox\nRUN a b").argv == ("/bin/sh", "-c", "a b")
    assert run_of('FROM busybox\nSHELL ["/z", "-e"]\nRUN a').argv == ("/z", "-e", "a")


def test_the_exec_form_runs_in_no_shell() -> None:
    assert run_of('FROM busybox\nRUN ["a", "$b"]').argv == ("a", "$b")


def test_the_last_of_arg_and_env_wins() -> None:
    run = run_of("FROM busybox\nARG A=1\nENV A=2\nENV B=b\nRUN x")
    assert run.env == (("PATH", "/bin"), ("A", "2"), ("B", "b"))


def test_a_step_sees_user_directory_and_network() -> None:
    run = run_of("FROM busybox\nUSER u:g\nWORKDIR /a\nWORKDIR b\nRUN --network=none x")
    assert (run.user, run.cwd, run.network) == ("u:g", "/a/b", Network.NONE)


@pytest.mark.parametrize("network", [Network.NONE, Network.PRIVATE])
def test_a_dockerfile_does_not_widen_the_network_of_the_command_line(network: Network) -> None:
    text = "FROM busybox\nRUN --network=host x"

    with pytest.raises(DockerfileError, match=f"not allowed with --network {network.value}"):
        plan_of(text, replace(a_request(), network=network))

    request = replace(a_request(), network=network, host_network=True)
    allowed = operation_of(plan_of(text, request))
    assert isinstance(allowed, Exec)
    assert allowed.network is Network.HOST


def test_one_heredoc_alone_is_what_the_shell_runs() -> None:
    assert run_of("FROM busybox\nRUN <<EOF\na\nb\nEOF\n").argv == ("/bin/sh", "-c", "a\nb\n")


def test_a_heredoc_with_a_shebang_is_a_script() -> None:
    run = run_of("FROM busybox\nRUN <<EOF\n#!/bin/awk -f\nx\nEOF\n")
    assert run.argv == ("/bin/sh", "-c", "/dev/pipes/EOF")
    assert run.files == (
        InlineFile(name=FileName("EOF"), content="#!/bin/awk -f\nx\n", mode=0o755),
    )


def test_other_heredocs_are_left_to_the_shell() -> None:
    run = run_of("FROM busybox\nRUN cat <<-A >x\n\ta\n\tA\n")
    assert run.argv == ("/bin/sh", "-c", "cat <<-A >x\n\ta\nA")


def test_a_bind_mount_shows_the_context_read_only() -> None:
    plan = plan_of("FROM busybox\nWORKDIR /w\nRUN --mount=source=./sub,target=t x")
    run = operation_of(plan)
    assert isinstance(run, Exec)
    assert run.mounts == (ExecMount(type="bind", target="/w/t", input=1, source="/sub"),)
    assert shown_by(plan, run.mounts[0]) == ReadContext()


def test_mounts_from_one_image_share_an_input() -> None:
    plan = plan_of(
        "FROM busybox\nRUN --mount=from=alpine,target=/a --mount=from=alpine,target=/b,rw x"
    )
    run = operation_of(plan)
    assert isinstance(run, Exec)
    assert [mount.input for mount in run.mounts] == [1, 1]
    assert [mount.read_only for mount in run.mounts] == [True, False]
    assert isinstance(shown_by(plan, run.mounts[0]), PullBase)


def test_a_cache_is_named_after_its_target_within_the_namespace() -> None:
    text = "FROM busybox\nRUN --mount=type=cache,target=/c/,uid=7,sharing=locked x"
    plan = plan_of(text, a_request(build_args={"BUILDKIT_CACHE_MOUNT_NS": "ns"}))
    run = operation_of(plan)
    assert isinstance(run, Exec)
    assert run.mounts == (
        ExecMount(type="cache", target="/c", read_only=False, id="ns//c", sharing="locked", uid=7),
    )


def test_a_tmpfs_has_a_size() -> None:
    run = run_of("FROM busybox\nRUN --mount=type=tmpfs,target=/t,size=64m x")
    assert run.mounts == (ExecMount(type="tmpfs", target="/t", read_only=False, size=64 << 20),)


def test_a_secret_is_a_file_a_variable_or_both() -> None:
    run = run_of(
        "FROM busybox\nRUN --mount=type=secret,id=a --mount=type=secret,id=b,env=B "
        "--mount=type=secret,target=/x/c,env=C,required,mode=0444 x"
    )
    assert [(m.id, m.target, m.env, m.required, m.mode) for m in run.mounts] == [
        ("a", "/run/secrets/a", "", False, 0o400),
        ("b", "", "B", False, 0o400),
        ("c", "/x/c", "C", True, 0o444),
    ]


@pytest.mark.parametrize("kind", ["bind", "cache", "tmpfs", "secret,id=a", "ssh"])
@pytest.mark.parametrize(
    ("target", "meant"),
    [("s", "/w/d/s"), ("./s/", "/w/d/s"), ("../s", "/w/s"), ("/s", "/s"), ("../../../s", "/s")],
)
def test_a_relative_target_is_below_the_working_directory(
    kind: str, target: str, meant: str
) -> None:
    run = run_of(f"FROM busybox\nWORKDIR /w/d\nRUN --mount=type={kind},target={target} x")
    assert run.mounts[0].target == meant
    if kind == "ssh":
        assert dict(run.env)["SSH_AUTH_SOCK"] == meant


def test_agents_get_sockets_and_the_first_is_in_the_environment() -> None:
    run = run_of("FROM busybox\nRUN --mount=type=ssh --mount=type=ssh,id=k,target=/s x")
    assert [(mount.id, mount.target) for mount in run.mounts] == [
        ("default", "/run/buildkit/ssh_agent.0"),
        ("k", "/s"),
    ]
    assert dict(run.env)["SSH_AUTH_SOCK"] == "/run/buildkit/ssh_agent.0"


def test_variables_are_expanded_in_mounts() -> None:
    run = run_of("FROM busybox\nARG T=cache\nRUN --mount=type=$T,target=/$T x")
    assert (run.mounts[0].type, run.mounts[0].target) == ("cache", "/cache")


def test_nothing_is_mounted_over_the_root() -> None:
    for kind in ("tmpfs", "secret", "ssh"):
        with pytest.raises(DockerfileError, match='invalid mount target "/"') as refusal:
            plan_of(f"FROM busybox\nRUN --mount=type={kind},id=a,target=/ x")
        assert refusal.value.lines == (2, 2)
