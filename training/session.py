"""What a training changes: network, optimiser, moving average; one epoch of it, step by step.

An epoch depends only on the weights it starts from and on (seed, epoch): order, augmentation and
dropout are drawn anew from these two, which is why a resumed run goes on as if never stopped, and
why an epoch that ran into NaN can be run again to see where it began.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glyphscope.errors import InvalidRecipe
from glyphscope.networks import Network, build, place
from glyphscope.preprocess import normalise
from glyphscope.spec import InputSpec
from training import device as devices
from training import exposure, finite
from training.augment import augment
from training.data import Split
from training.finite import Diverged, NotFinite, Tally
from training.observe import Step
from training.optimisers import optimiser, set_learning_rate
from training.order import batches
from training.recipe import Recipe
from training.run import Epoch, Run
from training.schedules import factor

if TYPE_CHECKING:
    from training.fit import Trainer

EVALUATION_BATCH = 500

LOOK_EVERY = {"cpu": 1, "cuda": 50}
"""Steps between two looks at the loss: on a GPU each makes the queue of work run empty."""


@dataclass
class Session:
    """``done`` epochs are finished. ``network`` is trained, ``candidate`` is judged and kept;
    ``forward`` is the network, compiled where the recipe asks for it."""

    job: "Trainer"
    network: Network
    forward: Callable[[Tensor], Tensor]
    optimiser: Optimizer
    average: AveragedModel | None
    precision: str
    look_every: int
    done: int = 0
    outcome: str = "running"

    @classmethod
    def start(cls, job: "Trainer") -> "Session":
        """``precision`` stays what it was where the run began, on whatever it goes on."""
        how = job.recipe.fit
        network = place(build(job.network_spec, seed=job.recipe.seed), job.device)
        averaging = get_ema_multi_avg_fn(how.ema)
        average = (
            AveragedModel(network, multi_avg_fn=averaging, use_buffers=True) if how.ema else None
        )
        precision = job.run.machine().get("precision")
        precision = precision or devices.precision(how.precision, job.device)
        return cls(
            job=job,
            network=network,
            forward=devices.compiled(network) if how.compile else network,
            optimiser=optimiser(network, job.recipe.optimiser, getattr(torch, precision)),
            average=average,
            precision=precision,
            look_every=LOOK_EVERY.get(job.device.type, 1),
        )

    @property
    def recipe(self) -> Recipe:
        return self.job.recipe

    @property
    def device(self) -> torch.device:
        return self.job.device

    @property
    def run(self) -> Run:
        return self.job.run

    @property
    def candidate(self) -> nn.Module:
        """The network that is judged and kept: the moving average where there is one."""
        return self.average.module if self.average else self.network

    @property
    def batch_size(self) -> int:
        return self.job.batch_size

    @property
    def steps(self) -> int:
        """An epoch's."""
        return self.job.steps

    def restore(self, state: dict[str, Any]) -> list[Epoch]:
        """Gives the history of the epochs that are done."""
        try:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            if self.average:
                self.average.load_state_dict(state["average"])
            history = [Epoch(**record) for record in state["history"]]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InvalidRecipe(
                f"{self.run.folder}/state.pt cannot be resumed: it was written by another "
                f"Glyphscope or for another network ({reason}); start anew without --resume"
            ) from None
        self.done = len(history)
        return history

    def state(self, history: list[Epoch]) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "history": [asdict(epoch) for epoch in history],
        }

    def epoch(self, number: int) -> Epoch:
        """Raises ``Diverged`` at the step whose loss is no finite number."""
        began = time.perf_counter()
        with devices.deterministic(self.recipe.fit.deterministic):
            loss, accuracy, rate = self._train(number)
        seconds = time.perf_counter() - began
        logits = evaluate(self.candidate, self.job.validation, self.job.input)
        labels = self.job.validation.labels
        judged = float(functional.cross_entropy(logits, labels))
        if not math.isfinite(judged):
            images = self.inputs(self.job.validation.images[:EVALUATION_BATCH])
            raise self._diverged(
                f"the loss on the validation images became {judged} after epoch {number}", images
            )
        self.done = number
        return Epoch(
            epoch=number,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=judged,
            validation_accuracy=float((logits.argmax(1) == labels).double().mean()),
            learning_rate=rate,
            seconds=round(seconds, 3),
        )

    def inputs(self, images: Tensor) -> Tensor:
        """What the network takes of images as they are: bytes -> floats, normalised."""
        return _normalised(images.float().div_(255), self.job.input)

    def autocast(self) -> torch.autocast:
        enabled = self.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def _train(self, number: int) -> tuple[float, float, float]:
        """(loss, accuracy, last learning rate)"""
        try:
            return self._pass(number, Tally(self.look_every))
        except NotFinite:
            # The weights are lost by now. As they were before the epoch, they go there again.
            state = self.run.state()
            assert state is not None
            self.restore(state)
            return self._pass(number, Tally(every=1))

    def _pass(self, number: int, tally: Tally) -> tuple[float, float, float]:
        how, steps, images = self.recipe, self.steps, len(self.job.train)
        seed = how.seed * 100_003 + number
        torch.manual_seed(seed)  # dropout's only source of chance
        generator = torch.Generator().manual_seed(seed)
        order = batches(images, how.order, self.batch_size, generator, seed=how.seed, epoch=number)
        rate = 0.0
        self.network.train()
        for step, index in enumerate(order, start=1):
            done, total = (number - 1) * steps + step - 1, how.fit.epochs * steps
            rate = how.optimiser.learning_rate * factor(how.schedule, done, total)
            set_learning_rate(self.optimiser, rate)
            loss, right = self.step(index, generator, tally)
            for observer in self.job.observers:
                observer.stepped(self, Step(number, step, steps, loss, rate, right))
            self.job.on_step(number, step, steps)
        return *tally.means(), rate

    def step(
        self, index: Tensor, generator: torch.Generator, tally: Tally
    ) -> tuple[Tensor, Tensor]:
        """One step on the images of ``index``: (mean loss, share answered right), without waiting
        for the device."""
        index = index.to(self.device)
        # A fifth of the time of indexing by []: 40 us and not 230 for 256 images on one CPU core.
        images = self.job.train.images.index_select(0, index).float().div_(255)
        images, labels = (
            augment(images, self.recipe.augment, generator),
            self.job.train.labels[index],
        )
        strange = round(self.recipe.fit.strangers * len(images))
        if strange:
            images = torch.cat([images, exposure.strangers(images, strange, generator)])
        images = _normalised(images, self.job.input)
        with self.autocast():
            logits = self.forward(images)
        logits, foreign = logits.float().split([len(labels), strange])
        smoothing = self.recipe.fit.label_smoothing
        loss = functional.cross_entropy(logits, labels, label_smoothing=smoothing)
        if strange:
            loss = loss + exposure.loss(foreign)
        right = (logits.detach().argmax(1) == labels).float().mean()
        try:
            # Before the weights move, so that what led to NaN can still be seen.
            tally.add(loss.detach(), right)
        except NotFinite as found:
            if tally.every > 1:
                raise
            where = f"the loss became {found.loss} at step {found.step} of epoch {self.done + 1}"
            raise self._diverged(where, images) from None
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        if self.average:
            self.average.update_parameters(self.network)
        return loss.detach(), right

    def _diverged(self, what: str, images: Tensor) -> Diverged:
        with self.autocast():
            origin = finite.origin(self.network, images)
        rate = float(self.optimiser.param_groups[0]["lr"])
        return Diverged(
            f"{what}, at learning rate {rate:.3g}. {origin} A lower optimiser.learning_rate "
            f"(now {self.recipe.optimiser.learning_rate:g}) is the first thing to try"
        )


def evaluate(network: nn.Module, split: Split, spec: InputSpec) -> Tensor:
    """Logits (N, K) of a split, float32, in eval mode, which is left as it was found."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return torch.cat(
                [
                    network(_normalised(images.float().div_(255), spec))
                    for images in split.images.split(EVALUATION_BATCH)
                ]
            )
    finally:
        network.train(was_training)


def _normalised(images: Tensor, spec: InputSpec) -> Tensor:
    return normalise(images, spec).contiguous(memory_format=torch.channels_last)
