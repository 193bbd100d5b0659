"""A whole build with no kernel, no disk and no network: every adapter is the in-memory one."""

from img.domain.process import Network
from tests.support.in_memory_app import InMemoryApp, image_of

PASSWD = b"root:x:0:0::/root:/bin/sh\napp:x:7:8::/:/bin/sh\n"
DOCKERFILE = """\
FROM compiler AS build
WORKDIR /src
COPY main.c .
ARG LEVEL=2
RUN cc -O$LEVEL
FROM compiler AS docs
COPY manual.md /manual.md
RUN pandoc
FROM runtime AS unused
RUN never
FROM runtime
COPY --from=build --chown=app /src/main /bin/main
COPY --from=docs /manual.html /usr/share/manual.html
COPY <<EOT /etc/motd
welcome
EOT
USER app
ENTRYPOINT ["/bin/main"]
"""
FILES = {"main.c": b"int main;", "manual.md": b"# Manual", "unrelated": b"x"}


def an_app() -> InMemoryApp:
    app = InMemoryApp()
    app.publish("compiler", {"bin/cc": b"cc"})
    app.publish("runtime", {"etc/passwd": PASSWD})
    app.commands["cc -O$LEVEL"] = lambda root: root.write("src/main", b"program")
    app.commands["pandoc"] = lambda root: root.write("manual.html", b"<h1>")
    return app


def test_stages_come_together_in_one_image() -> None:
    app = an_app()

    built = app.build(DOCKERFILE, FILES)

    assert app.files_of(built) == {
        "bin/main": b"program",
        "etc/motd": b"welcome\n",
        "etc/passwd": PASSWD,
        "usr/share/manual.html": b"<h1>",
    }
    config = image_of(built).config
    assert (config.run.user, config.run.entrypoint) == ("app", ("/bin/main",))


def test_names_of_owners_are_looked_up_in_the_image() -> None:
    app = an_app()

    built = image_of(app.build(DOCKERFILE, FILES))

    main = app.container.images.trees().of(built.layers).get("bin/main")
    assert main is not None and (main.uid, main.gid) == (7, 8)


def test_only_stages_that_the_target_needs_are_built() -> None:
    app = an_app()

    app.build(DOCKERFILE, FILES)

    commands = {process.argv[-1] for process in app.executor.processes}
    assert commands == {"cc -O$LEVEL", "pandoc"}


def test_a_command_sees_arguments_directory_and_network() -> None:
    app = an_app()

    app.build(DOCKERFILE, FILES)

    (cc,) = [p for p in app.executor.processes if p.argv[-1].startswith("cc")]
    assert cc.argv == ("/bin/sh", "-c", "cc -O$LEVEL")
    assert cc.env["LEVEL"] == "2"
    assert cc.cwd == "/src"
    assert cc.network is Network.HOST


def test_no_file_system_is_made_where_nothing_runs() -> None:
    app = an_app()

    app.build("FROM runtime\nCOPY main.c /\nWORKDIR /work\nCMD x\n", FILES)

    assert app.snapshotter.workspaces == {}
    assert app.executor.processes == ()


def test_a_second_build_does_nothing_and_gives_the_same_image() -> None:
    app = an_app()
    first = app.build(DOCKERFILE, FILES)
    app.forget_progress()
    ran = len(app.executor.processes)

    second = app.build(DOCKERFILE, FILES)

    assert app.steps_done == []
    assert len(app.executor.processes) == ran
    assert second.target == first.target


def test_a_change_that_makes_no_difference_ends_where_it_makes_none() -> None:
    app = an_app()
    first = app.build(DOCKERFILE, FILES)
    app.forget_progress()

    second = app.build(DOCKERFILE, {**FILES, "main.c": b"int main; /* a comment */"})

    # The compiler runs again; what it made is the same, so nothing that follows is made anew.
    assert any(name.endswith("RUN cc -O2") for name in app.done)
    assert any("COPY --from=build" in name for name in app.found)
    assert second.target == first.target


def test_a_stage_that_is_skipped_reads_a_changed_context_once() -> None:
    app = an_app()
    app.build(DOCKERFILE, FILES)
    changed = {**FILES, "unrelated": b"y"}

    app.build(DOCKERFILE, changed)
    read_by_second = app.contexts.context.read
    app.build(DOCKERFILE, changed)

    assert sorted(set(read_by_second)) == ["main.c", "manual.md"]
    assert app.contexts.context.read == []


def test_a_wildcard_below_a_file_of_a_stage_matches_nothing() -> None:
    app = an_app()

    built = app.build("FROM runtime\nCOPY --from=runtime /etc/passwd/* /etc/passwd /copy/\n")

    assert app.files_of(built) == {"copy/passwd": PASSWD, "etc/passwd": PASSWD}


def test_every_workspace_is_given_up() -> None:
    app = an_app()

    app.build(DOCKERFILE, FILES)

    assert len(app.snapshotter.workspaces) == 2
    assert all(each.discarded for each in app.snapshotter.workspaces.values())


def test_history_tells_each_instruction_and_which_made_layers() -> None:
    app = an_app()

    config = image_of(app.build(DOCKERFILE, FILES)).config

    made = [item.created_by.partition(" ")[0] for item in config.history if not item.empty_layer]
    assert made == ["", "COPY", "COPY", "COPY"]  # the test's base image tells no history
    assert len(config.diff_ids) == len(made)
