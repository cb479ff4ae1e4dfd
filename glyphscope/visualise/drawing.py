"""One batch of a request, from its seeds to its finished pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from glyphscope.checkpoint import Checkpoint
from glyphscope.visualise.batches import Batch
from glyphscope.visualise.crew import Watch
from glyphscope.visualise.knobs import Settings, Warp
from glyphscope.visualise.objectives import Objective, diversity
from glyphscope.visualise.optimise import Ascent
from glyphscope.visualise.parameters import PARAMETERS, Canvas
from glyphscope.visualise.prior import Prior, prior
from glyphscope.visualise.request import MaximisationRequest, settings_of
from glyphscope.visualise.spectrum import magnitude
from glyphscope.visualise.starts import Starts, starts
from glyphscope.visualise.summed import compile_terms
from glyphscope.visualise.transforms import draw
from glyphscope.visualise.trunk import Trunk
from glyphscope.visualise.unit_image import Pixels, UnitImage, finished

PROBE_STEPS = 32
"""A unit that no image of the test set drives is tried for so many steps, every blocked gradient
let through. One that still does not answer is dead."""


@dataclass(frozen=True)
class Shown:
    """Pictures (N, C, H, W) on their way, after ``step`` steps; None where nobody looks."""

    step: int
    pixels: Pixels | None


Event = Shown | list[UnitImage]


@dataclass(frozen=True)
class Drawing:
    """What all batches of a request share. ``trunk`` leads to its layers, ``apart`` is what keeps
    variants apart; ``starts`` are of all its units, where the settings ask for them and the prior
    has them."""

    checkpoint: Checkpoint
    request: MaximisationRequest
    settings: Settings
    trunk: Trunk
    apart: Objective | None = None
    starts: Starts | None = None

    def probe(self) -> "Drawing":
        """The short attempt that tells dead units from living ones."""
        steps = min(PROBE_STEPS, self.settings.steps)
        return replace(
            self,
            request=self.request.model_copy(update={"variants": 1}),
            apart=None,
            settings=self.settings.model_copy(update={"steps": steps, "redirect": steps}),
        )

    def begun(self, units: Sequence[int], threads: int, cancelled: Callable[[], bool]) -> "Drawing":
        """With the images that pictures of ``units`` begin at."""
        images = self._prior.sample() if self.settings.parameterisation == "natural" else None
        if images is None or not units:
            return self
        found = starts(self.checkpoint, self.request, units, images, threads, cancelled)
        return replace(self, starts=found)

    def draw(self, batch: Batch, frames: bool, tell: Callable[[Event], None], watch: Watch) -> None:
        """Tells ``Shown`` every few steps, and the finished pictures at the end."""
        real = len(batch.numbers)

        def shown(step: int, images: Tensor) -> None:
            if step:
                tell(Shown(step, to_bytes(images[:real]) if frames else None))

        how, device = self.settings, self.checkpoint.device
        leaf, decode = PARAMETERS[how.parameterisation](self._canvas(batch), batch.seeds)
        still = how.transforms == Warp()
        warps = None if still else draw(how.transforms, how.steps, batch.seeds).to(device)
        images, felt = self._ascent(batch).climb(leaf.to(device), decode, warps, watch, shown)
        tell(finished(self.checkpoint, self.request, batch, to_bytes(images), felt.tolist()))

    def _canvas(self, batch: Batch) -> Canvas:
        spec, how = self.checkpoint.manifest.input, self.settings
        return Canvas(
            shape=spec.shape,
            start=how.start,
            ground=how.ground,
            mean=spec.mean,
            magnitude=magnitude(spec),
            decorrelate=how.decorrelate,
            device=self.checkpoint.device,
            starts=self.starts.pick(batch.units, batch.seeds) if self.starts else None,
        )

    def _ascent(self, batch: Batch) -> Ascent:
        objective = compile_terms(self.request.terms, batch.units)
        alone = self.apart is None and self.request.objective in ("channel", "neuron")
        narrow = self.trunk.narrow(batch.units) if alone else None
        if narrow:  # of image i, the i-th unit that is left
            objective = compile_terms(self.request.terms, range(len(batch.units)))
        return Ascent(
            trunk=narrow or self.trunk,
            input=self.checkpoint.manifest.input,
            objective=objective,
            settings=self.settings,
            diversity=self.apart,
            weight=self.request.diversity,
            prior=self._prior if self.settings.regularisers.prior else None,
        )

    @cached_property
    def _prior(self) -> Prior:
        return prior(self.checkpoint)


def prepared(checkpoint: Checkpoint, request: MaximisationRequest) -> Drawing:
    """``request`` is resolved."""
    layers, apart = compile_terms(request.terms, [0]).layers, None
    if request.variants > 1 and request.diversity > 0:
        apart = diversity(_mapped(checkpoint, request.layer))
        layers |= apart.layers
    trunk = Trunk(checkpoint.network, layers)
    return Drawing(checkpoint, request, settings_of(request), trunk, apart)


def _mapped(checkpoint: Checkpoint, layer: str) -> str:
    """The layer, or the last before it that has maps: there images differ."""
    layers = checkpoint.network.layers
    upto = [each.name for each in layers].index(layer)
    return [each.name for each in layers[: upto + 1] if each.spatial][-1]


def to_bytes(images: Tensor) -> Pixels:
    pixels: Pixels = (images * 255).round().to(torch.uint8).cpu().numpy()
    return pixels
