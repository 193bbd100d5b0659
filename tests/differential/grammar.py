"""The seeded grammar of Dockerfiles."""

import json
from collections.abc import Callable
from random import Random

from tests.differential.case import BASE, Case, Stage, Step
from tests.differential.commands import PLACES, commands, looking
from tests.differential.files import File, archive, context_files, some_name

_OWNERS = ("33:50", "www-data", "www-data:staff", "1000", "0:8", "65534:65534", "$OWNER")
_USERS = ("33", "www-data", "1000:1000", "nobody:users", "0", "root", "5:50", "www-data:0")
_OCTAL = ("0644", "755", "777", "0600", "0", "750")
_OPTIONS = ("--exclude=a --link", "--parents --exclude=x", "--link --parents")
_WILDCARDS = ("*", "*.txt", "d/*", "[a-c]*", "?*", "d/*/*", "**/x", "[!a]*")
_UPPER_OCTAL = ("4755", "1777", "2750", "07777")
_SYMBOLIC = ("u+x", "go-rwx", "a=r", "u=rwX,go=rX", "+x", "g+s", "ug+s,o-r", "u=rw,g=u")
_WORDS = ("one", '"two three"', "$A", "${B:-none}", "${A:+set}", "x\\ y", "'q $A'", "${NO}e", "")
_LEGACY = ("a b  c", "$A:more", '"q" x')
_COMMANDS = ("echo $A", '["a", "b c"]', '["x", 1]', "[]")
_VOLUMES = ("/vol", "/w/d /vol", '["/v w"]')
_ENTRIES = ("exec x", '["/e", "$A"]')
_IGNORED = ("a", "*.txt", "d", "!d/sub", "d/*", "**/x", "*/b.txt", "# note", "e/", "/c.md", "!a")


class Grammar:
    """A generator of one case from a number."""

    def __init__(self, number: int, new: bool) -> None:
        self._random = Random(number)
        self._devices = number % 5 == 0
        self._new = new  # syntax that BuildKit has had since 2021
        self._number = number
        self._files = list(context_files(self._random))
        self._stages: list[Stage] = []
        self._mounted: set[str] = set()
        self._has_shell = True

    def case(self) -> Case:
        """Return the case."""
        pick = self._random
        above = [line for line in ("ARG G=global", "ARG OWNER=33") if pick.random() < 0.3]
        if pick.random() < 0.7:
            name, content = archive(pick, self._devices)
            self._add(File(path=name, content=content))
        for number in range(pick.choice((1, 1, 1, 2, 2, 3))):
            self._stages.append(self._stage(number))
        ignore = pick.sample(_IGNORED, pick.choice((1, 2, 3))) if pick.random() < 0.15 else []
        return Case(
            number=self._number,
            files=tuple(self._files),
            stages=tuple(self._stages),
            above=tuple(above),
            ignore=tuple(ignore),
            build_args=tuple(arg for arg in ("A=given", "G=other") if pick.random() < 0.2),
            mounted=tuple(sorted(self._mounted)),
            has_devices=self._devices,
        )

    def _add(self, file: File) -> None:
        if file.path not in {other.path for other in self._files}:
            self._files.append(file)

    # --- stages

    def _stage(self, number: int) -> Stage:
        pick = self._random
        bases = [BASE] * 6 + ["scratch"] + [stage.name for stage in self._stages] * 2
        base = pick.choice(bases)
        scratch = {"scratch", *(s.name for s in self._stages if s.base == "scratch")}
        self._has_shell = base not in scratch
        steps = [Step.of_old("ENV OWNER=50:8")] if pick.random() < 0.3 else []
        if base == "scratch":  # docker saves no image without layers
            steps.append(Step.of_old(f"WORKDIR {pick.choice(PLACES)}"))
        elif self._has_shell and pick.random() < 0.6:
            steps.append(Step.of_old(f"RUN {commands(pick, self._devices)}; true"))
        for _ in range(pick.choice((1, 2, 3, 4, 6))):
            steps.append(self._step())
        if self._has_shell and pick.random() < 0.4:
            steps.append(Step.of_old(f"RUN {looking(pick, self._new)}; true"))
        return Stage(base=base, name=f"stage{number}", steps=tuple(steps))

    def _step(self) -> Step:
        makers: list[tuple[int, Callable[[], Step]]] = [
            (9, self._copy),
            (5, self._add_files),
            (9 if self._has_shell else 0, self._run),
            (2, self._workdir),
            (1, self._user),
            (3, self._setting),
        ]
        if self._new:
            makers += [(8, self._new_copy), (4 if self._has_shell else 0, self._here_run)]
        weights = [weight for weight, _ in makers]
        make = self._random.choices([make for _, make in makers], weights)[0]
        return make()

    # --- COPY and ADD

    def _copy(self) -> Step:
        pick = self._random
        origin = ""
        if self._stages and pick.random() < 0.4:
            stage = pick.choice(self._stages)
            origin = f"--from={pick.choice((stage.name, str(self._stages.index(stage))))} "
            has_files = any(step.text.startswith("RUN mkdir") for step in stage.steps)
            sources = [pick.choice(("/w", "/w", "/w/*", "/w/*/*") if has_files else ("/",))]
            if pick.random() < 0.2:
                sources = [pick.choice(("/etc/passwd", "/tmp", "/", "/x", "/etc/[p-s]*"))]
        else:
            sources = self._sources()
        return Step.of_old(f"COPY {origin}{self._owner()}{self._mode()}{self._words(sources)}")

    def _add_files(self) -> Step:
        packed = [f.path for f in self._files if f.path.startswith("tree") or f.path == "packed"]
        sources = packed[:1] if packed and self._random.random() < 0.8 else self._sources()
        # Of an archive they were not heeded in 2020.
        options = self._owner() + self._mode() if self._new else ""
        return Step.of_old(f"ADD {options}{self._words(sources)}")

    def _sources(self) -> list[str]:
        pick = self._random
        paths = [file.path for file in self._files]
        some = pick.choice((1, 1, 1, 2))
        chosen = pick.sample(paths, min(some, len(paths)))
        match pick.random():
            case chance if chance < 0.1:
                return [pick.choice((".", "/", "./", "d/..", "e/.."))]
            case chance if chance < 0.25:
                return [
                    pick.choice(("*", "*.txt", "d/*", "[a-c]*", "?*", "d/*/*", "**/x", "[!a]*"))
                ]
            case chance if chance < 0.27:
                return ["missing"]
            case chance if chance < 0.35:
                return [f"/{name}" for name in chosen]
            case _:
                return chosen

    def _words(self, sources: list[str]) -> str:
        destination = self._destination(len(sources) > 1 or any("*" in name for name in sources))
        words = [*sources, destination]
        if any(set(word) & set(" '\"\t") or not word for word in words) or (
            self._random.random() < 0.1
        ):
            return json.dumps(words, ensure_ascii=False)
        return " ".join(words)

    def _destination(self, several: bool) -> str:
        pick = self._random
        place = pick.choice(
            (*PLACES, "/", ".", "/x", "/new/deep", "rel", "/w/l", "/tmp", "/var/www", "./", "/$A")
        )
        if several and pick.random() < 0.95:
            return place.rstrip("/") + "/"
        return pick.choice((place, place, f"{place}/", f"{place}/{some_name(pick, 0.1)}"))

    def _owner(self) -> str:
        if self._random.random() > 0.3:
            return ""
        # In 2020 a name needed an /etc/passwd that knows it.
        owners = _OWNERS if self._has_shell or self._new else [o for o in _OWNERS if o[0] in "0136"]
        return f"--chown={self._random.choice(owners)} "

    def _mode(self) -> str:
        if not self._new:  # in 2020 upper bits stayed as they were, and directories were left out
            return ""
        return f"--chmod={self._random.choice(_OCTAL)} " if self._random.random() < 0.15 else ""

    # --- RUN

    def _run(self) -> Step:
        pick = self._random
        mounts = ""
        script = f"{commands(pick, self._devices)}; true"
        if pick.random() < 0.3:
            mount, script = self._mount(script)
            mounts = f"--mount={mount} "
        if pick.random() < 0.02:
            script += "; exit 3"
        if pick.random() < 0.1:
            words = ["/bin/sh", "-c", script]
            return Step.of_old(f"RUN {mounts}{json.dumps(words, ensure_ascii=False)}")
        if pick.random() < 0.1:
            script = script.replace("; ", "; \\\n  # a comment\n  ")
        return Step.of_old(f"RUN {mounts}{script}")

    def _mount(self, script: str) -> tuple[str, str]:
        pick = self._random
        target = pick.choice(("/mnt/m", "/m", "/var/www", "/home", "rel/m"))
        self._mounted.add(target)
        listing = (
            f"find {target} ! -type d -exec stat -c '%n|%F|%a|%u:%g|%s' {{}} + | sort > /mounted"
        )
        look = f"stat -c '%n %a %u:%g' {target} > /mount; {listing}"
        kind = pick.choice(("bind", "bind", "cache", "tmpfs", "secret"))
        match kind:
            case "bind":
                if self._stages and pick.random() < 0.5:
                    more = f",from={pick.choice(self._stages).name}"
                    more += pick.choice((",source=/etc", ",source=/w", ",source=/tmp", ""))
                    listing = ""
                    look = f"stat -c '%n %a %u:%g' {target} > /mount; ls -A {target} > /mounted"
                    if more.count(",") == 1:
                        look = f"stat -c '%n %u:%g' {target} > /mount"
                else:
                    paths = [f.path for f in self._files if f.kind in {"file", "directory"}]
                    safe = [path for path in paths if not set(path) & set("'\" \\,$")]
                    more = f",source={pick.choice(safe)}" if safe and pick.random() < 0.5 else ""
                if pick.random() < 0.3:
                    more += ",rw"
                    look += f"; echo written > {target}/written"
            case "cache":
                more = f",id=c{self._number}-{pick.choice('ab')}"
                more += pick.choice(("", "", ",uid=33", ",gid=50", ",mode=0700", ",sharing=locked"))
                look += f"; echo more >> {target}/log; cat {target}/log > /log"
            case "tmpfs":
                more, look = "", f"echo gone > {target}/gone; ls {target} > /mounted"
            case _:
                self._mounted.add(target := f"{target}/secret")
                more = ",id=known" + pick.choice(("", ",required=true", ",mode=0444", ",uid=33"))
                look = f"stat -c '%a %u:%g' {target} > /mount; cat {target} > /mounted"
        name = "target" if pick.random() < 0.8 else "dst"
        return f"type={kind},{name}={target}{more}", f"{look}; {script}"

    # --- what changes the config

    def _workdir(self) -> Step:
        places = (*PLACES, "rel", "$A/of", "/w/with space", "..", "/", "/w/l/below", "/tmp/")
        return Step.of_old(f"WORKDIR {self._random.choice(places)}")

    def _user(self) -> Step:
        users = _USERS if self._has_shell else _USERS[::2]
        return Step.of_old(f"USER {self._random.choice(users)}")

    def _setting(self) -> Step:
        pick = self._random
        one, two = pick.choice(_WORDS), pick.choice(_WORDS)
        return Step.of_old(
            pick.choice(
                (
                    f"ENV A={one} B={two}",
                    f"ENV A {pick.choice(_LEGACY)}",
                    f"ENV PATH=$PATH:/{pick.choice(('x', 'y'))}",
                    f"ARG A={one}",
                    "ARG G",
                    f"ARG B={two} C=$A",
                    f"LABEL l={one} 'm n'={two}",
                    f"LABEL k {pick.choice(('v w', '$A'))}",
                    'SHELL ["/bin/sh", "-ec"]',
                    'SHELL ["/bin/busybox", "ash", "-c"]',
                    f"VOLUME {pick.choice(_VOLUMES)}",
                    f"EXPOSE {pick.choice(('80', '80/tcp 53/udp', '8000-8002', '${P:-90}'))}",
                    f"STOPSIGNAL {pick.choice(('SIGTERM', '9', 'SIGRTMIN+3'))}",
                    "HEALTHCHECK --interval=5s --retries=2 CMD true $A",
                    'HEALTHCHECK --timeout=1m CMD ["true"]',
                    "HEALTHCHECK NONE",
                    f"CMD {pick.choice(_COMMANDS)}",
                    f"ENTRYPOINT {pick.choice(_ENTRIES)}",
                    f"ONBUILD {pick.choice(('RUN echo x > /onbuild', 'ENV O=1', 'LABEL o=$A'))}",
                    "MAINTAINER some one",
                )
            )
        )

    # --- syntax of 2021 and later

    def _new_copy(self) -> Step:
        pick = self._random
        match pick.randrange(6):
            case 0:
                return self._here_file()
            case 1:
                return self._symbolic_mode()
            case 2:
                words = self._words(self._sources())
                options = self._owner() + self._mode()
                return Step(text=f"COPY --link {options}{words}", older=None)
            case 3:
                words = self._words(self._sources())
                excluded = pick.choice(("*.txt", "sub", "d/sub", "**/x", "a", ".*", "!a"))
                return Step(text=f"COPY --exclude={excluded} {words}", older=None)
            case 4:
                words = self._words(self._sources()) + pick.choice(("", "/"))
                return Step(text=f"COPY --parents {self._owner()}{words}", older=None)
            case _:
                words = self._words(self._sources())
                more = pick.choice(
                    ("--exclude=a --link", "--parents --exclude=x", "--link --parents")
                )
                return Step(text=f"COPY {more} {words}", older=None)

    def _here_file(self) -> Step:
        pick = self._random
        name = f"here{len(self._files)}"
        content = pick.choice(("one\n", "two\n  three\n", "$A\n", "\n", "it's\n"))
        quoted = pick.random() < 0.5 or "$" in content
        self._add(File(path=name, content=content.encode()))
        destination = self._destination(several=False)
        if set(destination) & set(" '\"\\"):
            destination = "/here"
        verb, mark = pick.choice(("COPY", "ADD")), f'"{name}"' if quoted else name
        options = self._owner()
        return Step(
            text=f"{verb} {options}<<{mark} {destination}\n{content}{name}",
            older=f"{verb} {options}{name} {destination}",
        )

    def _symbolic_mode(self) -> Step:
        words = self._words(self._sources())
        mode = self._random.choice((*_SYMBOLIC, *_UPPER_OCTAL))
        return Step(text=f"COPY --chmod={mode} {words}", older=None)

    def _here_run(self) -> Step:
        lines = commands(self._random, self._devices).split("; ")
        script = "\n".join([*lines, "true"])
        return Step(text=f"RUN <<EOF\n{script}\nEOF", older=f"RUN {'; '.join([*lines, 'true'])}")


def a_case(number: int) -> Case:
    """Return the case of a number.

    Each fourth has syntax that is newer than 2020, each fifth has devices.
    """
    return Grammar(number, new=number % 4 == 3).case()
