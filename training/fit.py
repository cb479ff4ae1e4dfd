"""The training loop. The whole split is one tensor on the device, so no loader stands between.

An epoch depends only on the weights it starts from and on (seed, epoch): order, augmentation and
dropout are drawn anew from these two, which is why a resumed run goes on as if never stopped.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from glyphscope.errors import GlyphscopeError
from glyphscope.networks import Network, build, place
from glyphscope.preprocess import normalise
from glyphscope.spec import InputSpec, NetworkSpec
from training import device as devices
from training.augment import augment
from training.data import Split
from training.optimisers import factor, optimiser, set_learning_rate
from training.recipe import Recipe
from training.run import Epoch, Run

OnStep = Callable[[int, int, int], None]
"""(epoch, step, steps an epoch), called after every batch."""

EVALUATION_BATCH = 500


class Diverged(GlyphscopeError):
    code = "diverged"
    title = "Training diverged"


@dataclass
class Trainer:
    """What a run needs beside its recipe. ``train`` and ``validation`` lie on ``device``."""

    recipe: Recipe
    network_spec: NetworkSpec
    input: InputSpec
    train: Split
    validation: Split
    device: torch.device
    run: Run
    on_step: OnStep = field(default=lambda epoch, step, steps: None)

    def epochs(self) -> Iterator[Epoch]:
        """Train, a record an epoch; best weights and the state to resume from are on disk then."""
        session = _Session.start(self)
        self.run.write_json("machine.json", {"device": devices.describe(self.device)})
        history = session.restore(self.run.state(), self.run.history())
        best = max((epoch.validation_accuracy for epoch in history), default=-1.0)
        for number in range(len(history) + 1, self.recipe.fit.epochs + 1):
            record = session.epoch(number)
            history.append(record)
            if record.validation_accuracy >= best:
                best = record.validation_accuracy
                self.run.save_weights(session.candidate.state_dict())
            self.run.save_state(session.state())
            self.run.record(history)
            yield record


@dataclass
class _Session:
    job: Trainer
    network: Network
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None
    half: bool

    @classmethod
    def start(cls, job: Trainer) -> "_Session":
        how = job.recipe.fit
        network = place(build(job.network_spec, seed=job.recipe.seed), job.device)
        averaging = get_ema_multi_avg_fn(how.ema)
        average = (
            AveragedModel(network, multi_avg_fn=averaging, use_buffers=True) if how.ema else None
        )
        half = devices.bfloat16(how.precision, job.device)
        return cls(job, network, optimiser(network, job.recipe.optimiser), average, half)

    @property
    def candidate(self) -> nn.Module:
        """The network that is judged and kept: the moving average where there is one."""
        return self.average.module if self.average else self.network

    def restore(self, state: dict[str, dict[str, Tensor]] | None, done: list[Epoch]) -> list[Epoch]:
        if state is None:
            return []
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimiser"])
        if self.average:
            self.average.load_state_dict(state["average"])
        return done[: int(state["epoch"]["done"])]

    def state(self) -> dict[str, object]:
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else {},
            "epoch": {"done": torch.tensor(self.done)},
        }

    done: int = 0

    def epoch(self, number: int) -> Epoch:
        began = time.perf_counter()
        loss, accuracy, rate = self._train(number)
        seconds = time.perf_counter() - began
        logits = evaluate(self.candidate, self.job.validation, self.job.input)
        labels = self.job.validation.labels
        self.done = number
        return Epoch(
            epoch=number,
            train_loss=loss,
            train_accuracy=accuracy,
            validation_loss=float(functional.cross_entropy(logits, labels)),
            validation_accuracy=float((logits.argmax(1) == labels).float().mean()),
            learning_rate=rate,
            seconds=round(seconds, 3),
        )

    def _train(self, number: int) -> tuple[float, float, float]:
        how, data = self.job.recipe, self.job.train
        torch.manual_seed(how.seed * 100_003 + number)  # dropout's only source of chance
        generator = torch.Generator().manual_seed(how.seed * 100_003 + number)
        order = torch.randperm(len(data), generator=generator)
        size = min(how.fit.batch_size, len(data))
        steps = len(data) // size
        totals = torch.zeros(2, device=self.job.device)
        rate = 0.0
        self.network.train()
        for step in range(steps):
            rate = how.optimiser.learning_rate * factor(
                how.schedule, (number - 1) * steps + step, how.fit.epochs * steps
            )
            set_learning_rate(self.optimizer, rate)
            batch = data.take(order[step * size : (step + 1) * size].to(self.job.device))
            totals += self._step(batch, generator)
            self.job.on_step(number, step + 1, steps)
        loss, right = (totals / (steps * size)).tolist()
        if not math.isfinite(loss):
            raise Diverged(
                f"the loss became {loss} in epoch {number}; a lower optimiser.learning_rate "
                f"(now {how.optimiser.learning_rate:g}) is the first thing to try"
            )
        return loss, right, rate

    def _step(self, batch: Split, generator: torch.Generator) -> Tensor:
        """Returns (sum of the losses, number answered right), without waiting for the device."""
        images = batch.images.float().div_(255)
        images = normalise(augment(images, self.job.recipe.augment, generator), self.job.input)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.job.device.type, torch.bfloat16, enabled=self.half):
            logits = self.network(images)
        logits = logits.float()
        smoothing = self.job.recipe.fit.label_smoothing
        loss = functional.cross_entropy(logits, batch.labels, label_smoothing=smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.network)
        right = (logits.detach().argmax(1) == batch.labels).sum()
        return torch.stack([loss.detach() * len(batch), right.float()])


def evaluate(network: nn.Module, split: Split, spec: InputSpec) -> Tensor:
    """Logits (N, K) of a split, float32, in eval mode, which is left as it was found."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            return torch.cat(
                [network(_input(images, spec)) for images in split.images.split(EVALUATION_BATCH)]
            )
    finally:
        network.train(was_training)


def _input(images: Tensor, spec: InputSpec) -> Tensor:
    x = normalise(images.float().div_(255), spec)
    return x.contiguous(memory_format=torch.channels_last)
