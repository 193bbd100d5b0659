"""A generated Dockerfile with its context, in parts that can be left out one by one."""

from dataclasses import dataclass

from tests.differential.files import File

BASE = "busybox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction, and what says the same in the language of 2020, None for nothing."""

    text: str
    older: str | None

    @classmethod
    def of_old(cls, text: str) -> "Step":
        """Return an instruction that BuildKit has always had, but perhaps not with all of it.

        In 2020 COPY --chmod was of no directory and no upper bit, ADD --chown of no archive; a
        user had no other groups; and JSON forms were read as Latin-1.
        """
        is_other = "--chmod=" in text or text.startswith("ADD --chown=") or "(id;" in text
        is_other |= '["' in text and not text.isascii()
        return cls(text=text, older=None if is_other else text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A FROM and what follows."""

    base: str
    name: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A Dockerfile with its context, built by all users with the same options."""

    number: int
    files: tuple[File, ...]
    stages: tuple[Stage, ...]
    above: tuple[str, ...] = ()  # lines before the first FROM
    ignore: tuple[str, ...] = ()  # lines of .dockerignore
    build_args: tuple[str, ...] = ()
    mounted: tuple[str, ...] = ()  # what mounts make
    has_devices: bool = False

    def text(self) -> str:
        """Return the Dockerfile."""
        return self._dockerfile([(stage, [s.text for s in stage.steps]) for stage in self.stages])

    def older(self) -> str | None:
        """Return a Dockerfile for a BuildKit of 2020, None if there is none."""
        steps = [[step.older for step in stage.steps] for stage in self.stages]
        if any(text is None for texts in steps for text in texts):
            return None
        texts = [[text or "" for text in texts] for texts in steps]
        return self._dockerfile(list(zip(self.stages, texts, strict=True)))

    def _dockerfile(self, stages: list[tuple[Stage, list[str]]]) -> str:
        lines = list(self.above)
        for stage, texts in stages:
            lines += [f"FROM {stage.base} AS {stage.name}", *texts]
        return "\n".join(lines) + "\n"

    @property
    def size(self) -> int:
        """Return the number of instructions."""
        return sum(1 + len(stage.steps) for stage in self.stages)
