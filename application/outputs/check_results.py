"""Checks of the image that a build has made, before it gets a name."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from img.application.layers.trees import Trees
from img.application.outputs.solved import Solved
from img.application.packages.find import FindPackages
from img.application.solver.results import Stack
from img.domain.dataclass import dataclass
from img.domain.policy.policy import Policy
from img.domain.policy.violation import PolicyViolated, forbidden


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResults:
    """The rules of policies about sizes, files and packages of images."""

    rules: tuple[Policy, ...]
    trees: Trees
    packages: FindPackages

    def __call__(self, built: Sequence[Solved]) -> None:
        """Check the image of each platform. Raises StepForbidden, and errors of reading layers."""
        for policy in self.rules:
            if policy.reads_results:
                for each in built:
                    self._check(policy, each)

    def _check(self, policy: Policy, solved: Solved) -> None:
        layers = solved.stack.layers
        try:
            policy.check_size(sum(layer.descriptor.size for layer in layers))
        except PolicyViolated as error:
            raise forbidden(error, _lines_of(solved, len(layers) - 1)) from error
        if policy.no_setuid:
            self._check_files(policy, solved)
        if policy.refused_licenses:
            self._check_licenses(policy, solved)

    def _check_files(self, policy: Policy, solved: Solved) -> None:
        tree = self.trees.of(solved.stack.layers)
        found: dict[int, list[str]] = defaultdict(list)
        for entry in tree.walk(""):
            if policy.is_set_id(entry):
                found[tree.layer_of(entry.path)].append(entry.path)
        if found:
            layer, paths = _topmost(found)
            raise forbidden(policy.refuse_set_id(sorted(paths)), _lines_of(solved, layer))

    def _check_licenses(self, policy: Policy, solved: Solved) -> None:
        read = self.packages(solved.stack.layers)
        for unread in read.unread:
            raise forbidden(policy.unread_packages(unread.path), None)
        found: dict[int, list[str]] = defaultdict(list)
        for package in read.packages:
            if policy.refuses_license(package.license):
                name = f"{package.name} {package.version} ({package.license})"
                found[package.layer].append(name)
        if found:
            layer, names = _topmost(found)
            raise forbidden(policy.refuse_licenses(sorted(names)), _lines_of(solved, layer))


def _topmost(found: Mapping[int, list[str]]) -> tuple[int, list[str]]:
    """Return the highest layer with violations, and those: the Dockerfile is above its base."""
    layer = max(found)
    return layer, found[layer]


def _lines_of(solved: Solved, layer: int) -> tuple[int, int] | None:
    """Return the lines of the instruction that made a layer, or of the FROM that brought it."""
    graph = solved.plan.graph
    for position in graph.below(solved.plan.target):
        result = solved.results.get(position)
        if not isinstance(result, Stack):
            continue
        at = len(result.layers) - 1
        if (result.own is not None and at == layer) or not graph.vertices[position].inputs:
            return graph.vertices[position].lines
    return None
