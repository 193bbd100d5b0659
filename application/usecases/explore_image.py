"""``img explore``: what the layers of an image do, from their indexes."""

from collections.abc import Sequence

from img.application.layers.trees import Trees
from img.application.ports.state_lock import StateLock
from img.application.transfer.catalog import Catalog
from img.application.transfer.find_image import FindImage
from img.domain.dataclass import dataclass
from img.domain.digest import Digest
from img.domain.filesystem.layer_story import LayerStory, story_of
from img.domain.image_name import ImageName
from img.domain.oci.chain import DiffID
from img.domain.oci.config import ImageConfig
from img.domain.platform import WantedPlatform


@dataclass(frozen=True, slots=True)
class ExploredLayer:
    """A layer and the step that made it, "" if the image does not say."""

    step: str
    digest: Digest
    size: int  # bytes of the blob
    diff_id: DiffID | None = None


@dataclass(frozen=True, slots=True)
class ExploredImage:
    """The layers of an image, lowest first, and the story of its files."""

    layers: tuple[ExploredLayer, ...]
    story: LayerStory

    @property
    def size(self) -> int:
        """The bytes of all layers."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExploreImage:
    """``img explore``; no layer is unpacked."""

    find: FindImage
    catalog: Catalog
    trees: Trees
    lock: StateLock

    def __call__(self, name: ImageName, platform: WantedPlatform) -> ExploredImage:
        """Return the layers and files of an image.

        Raises ImageNotFound, BlobNotFound, NoPlatformMatch, InvalidLayer …
        """
        with self.lock.reading():
            image = self.catalog.image(self.find(name).target, platform)
            indexes = [self.trees.index_of(layer) for layer in image.layers]
        steps = steps_of(image.config, len(indexes))
        layers = [
            ExploredLayer(step, layer.descriptor.digest, layer.descriptor.size, layer.diff_id)
            for step, layer in zip(steps, image.layers, strict=True)
        ]
        return ExploredImage(tuple(layers), story_of(indexes))


def steps_of(config: ImageConfig, layers: int) -> Sequence[str]:
    """Return the commands of so many ``layers``; those without a history entry are the last."""
    commands = [step.created_by for step in config.history if not step.empty_layer][:layers]
    return [*commands, *[""] * (layers - len(commands))]
