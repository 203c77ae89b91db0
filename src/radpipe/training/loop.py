"""The one training loop: AdamW, warm-up, clipping, accumulation, EMA, resume.

Runs on one process or many (`accelerate launch`); an objective names its players (networks with
a loss of their own: one for the diffusion trainings, generator and discriminator for LaMa).
Stopping at any step and resuming gives the same weights, bit for bit on one CPU, as never
stopping, because samples are numbered and the state holds weights, averages and optimisers.
Dropout, where a network has it, draws from the number of the step, its part and the process: it
resumes as well, but its masks differ with the number of processes.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from radpipe.diffusion.noise import image_seed
from radpipe.errors import UserError
from radpipe.files import atomic
from radpipe.models.native import keep_freed_memory
from radpipe.progress import bar
from radpipe.settings import Optimisation
from radpipe.training.averages import Average, learning_rate, trained
from radpipe.training.samples import NumberedSamples, Sample, batches, schedule_numbers

log = logging.getLogger(__name__)
CURVE_POINTS = 400


class Objective(Protocol):
    """What is trained.

    Attributes:
        players: name -> network, in the order in which they move in a step.
        rates: player -> factor on the learning rate; 1 where none is given.
    """

    players: dict[str, nn.Module]
    rates: dict[str, float]

    def loss(self, player: str, networks: dict[str, Any], batch: Sample) -> dict[str, Tensor]:
        """Scalar losses of one player on a batch; the key `loss` is minimised.

        Args:
            player: whose turn it is.
            networks: the players, wrapped for many processes.
            batch: stacked samples, on the device.
        """
        ...


@dataclass
class State:
    """Everything that a resumed run needs."""

    step: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """Trains an objective's players and leaves the averaged weights in them.

    Args:
        objective: see `Objective`.
        settings: see `Optimisation`.
        samples: numbered training samples.
        resume: folder for unfinished work.
        accelerator: an `accelerate.Accelerator`.
        save_seconds: at most this much work is lost by a kill.
        workers: loader processes.
    """

    def __init__(
        self,
        objective: Objective,
        settings: Optimisation,
        samples: NumberedSamples,
        resume: Path,
        accelerator: Any,
        save_seconds: float = 60,
        workers: int = 0,
    ) -> None:
        self.objective, self.settings, self.samples = objective, settings, samples
        self.accelerator, self.resume = accelerator, resume
        self.save_seconds, self.workers = save_seconds, workers
        self.state = State()
        self.networks, self.optimisers, self.averages = {}, {}, {}
        self.dropout = any(map(has_dropout, objective.players.values()))
        for name, network in objective.players.items():
            optimiser = torch.optim.AdamW(
                list(trained(network).values()),
                lr=settings.lr,
                weight_decay=settings.weight_decay,
                fused=True,
            )
            network.to(accelerator.device)
            self.averages[name] = Average.of(network, settings.ema)
            self.networks[name], self.optimisers[name] = accelerator.prepare(network, optimiser)

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return -(-self.settings.images // self.settings.batch)

    def train(self, what: str, stop_at: int | None = None) -> pd.DataFrame:
        """Train to the end, or to a step (tests); returns the loss curve."""
        keep_freed_memory()
        self._load()
        begun = self.state.step
        main = self.accelerator.is_main_process
        numbers = schedule_numbers(
            begun,
            self.settings.images,
            self.settings.batch,
            self.accelerator.process_index,
            self.accelerator.num_processes,
            self.settings.accumulate,
        )
        if begun:
            log.info("%s: resumes at image %d", what, begun * self.settings.batch)
        stream = batches(self.samples, numbers, self.workers)
        saved = time.monotonic()
        batch = self.settings.batch
        with bar(self.steps * batch, what, start=begun * batch) as progress:
            while self.state.step < (stop_at or self.steps):
                parts = [next(stream) for _ in range(self.settings.accumulate)]
                values = self.step(parts)
                self._record(values)
                if main:
                    progress.update(batch)
                    progress.set_postfix_str(_short(values), refresh=False)
                if time.monotonic() - saved > self.save_seconds:
                    self._save()
                    saved = time.monotonic()
        if stop_at is not None:
            self._save()
        return pd.DataFrame(self.state.curve)

    def finish(self) -> None:
        """Put the averaged weights into the players."""
        for name, network in self.objective.players.items():
            self.averages[name].apply(network)

    def step(self, parts: list[Sample]) -> dict[str, float]:
        """One optimiser step of every player on a batch, split into parts; the mean losses."""
        values: dict[str, float] = {}
        rate = learning_rate(self.settings, self.state.step * self.settings.batch)
        parts = [{k: v.to(self.accelerator.device) for k, v in p.items()} for p in parts]
        for name, optimiser in self.optimisers.items():
            for group in optimiser.param_groups:
                group["lr"] = rate * self.objective.rates.get(name, 1.0)
            optimiser.zero_grad(set_to_none=True)
            for index, part in enumerate(parts):
                losses = self._backward(name, part, index)
                prefix = "" if len(self.optimisers) == 1 else f"{name}_"
                for key, value in losses.items():
                    mean = float(value.detach()) / len(parts)
                    values[prefix + key] = values.get(prefix + key, 0.0) + mean
            norm = self.accelerator.clip_grad_norm_(
                list(trained(self.networks[name]).values()), self.settings.clip
            )
            self._refuse_nan(float(norm), values)
            optimiser.step()
            self.averages[name].update(self.objective.players[name], self.state.step)
        self.state.step += 1
        return values

    def _backward(self, name: str, part: Sample, index: int) -> dict[str, Tensor]:
        """Loss and gradients of one micro-batch; processes exchange gradients at the last."""
        last = index == self.settings.accumulate - 1
        with nullcontext() if last else self.accelerator.no_sync(self.networks[name]):
            with self.accelerator.autocast(), self._masks(index):
                losses = self.objective.loss(name, self.networks, part)
            self.accelerator.backward(losses["loss"] / self.settings.accumulate)
        return losses

    @contextmanager
    def _masks(self, index: int) -> Iterator[None]:
        """Dropout that depends on seed, step, part and process alone; nothing without dropout."""
        if not self.dropout:
            yield
            return
        step, rank = self.state.step, self.accelerator.process_index
        cuda = self.accelerator.device.type == "cuda"
        with torch.random.fork_rng([torch.cuda.current_device()] if cuda else []):
            torch.manual_seed(image_seed(self.samples.seed, "dropout", step, index, rank))
            yield

    def _refuse_nan(self, norm: float, values: dict[str, float]) -> None:
        """Stop before a bad step touches the weights."""
        if not math.isfinite(norm) or not all(math.isfinite(v) for v in values.values()):
            raise UserError(
                f"the loss is not a number at step {self.state.step}; the last good state is kept",
                str(self.resume),
                "lower `lr`, raise `warmup` or use precision fp32 in params.yaml, then run again",
            )

    def _record(self, values: dict[str, float]) -> None:
        """Mean losses over equal spans of the training, for the loss curve."""
        span = max(1, self.steps // CURVE_POINTS)
        index = (self.state.step - 1) % span
        if index == 0:
            self.state.curve.append({"images": 0.0} | dict.fromkeys(values, 0.0))
        row = self.state.curve[-1]
        for key, value in values.items():
            row[key] += (value - row[key]) / (index + 1)
        row["images"] = float(self.state.step * self.settings.batch)

    def _save(self) -> None:
        """Write the state; the old one stays until the new one is whole."""
        if not self.accelerator.is_main_process:
            return
        state = {
            "step": self.state.step,
            "curve": self.state.curve,
            "players": {
                name: {
                    "weights": trained(network),
                    "buffers": dict(network.named_buffers()),
                    "average": self.averages[name].values,
                    "optimiser": self.optimisers[name].state_dict(),
                }
                for name, network in self.objective.players.items()
            },
        }
        with atomic(self.resume / "state.pt") as temporary:
            torch.save(state, temporary)

    def _load(self) -> None:
        path = self.resume / "state.pt"
        if not path.is_file():
            return
        # one of many processes on a CPU calls its device cpu:0, which torch cannot load to
        device = self.accelerator.device
        place = "cpu" if device.type == "cpu" else device
        try:
            state = torch.load(path, map_location=place, weights_only=True)
        except Exception as error:
            raise UserError(
                f"the saved state cannot be read ({type(error).__name__})",
                str(path),
                f"delete it and start over: rm -r {path.parent}",
            ) from None
        self.state = State(state["step"], state["curve"])
        for name, network in self.objective.players.items():
            saved = state["players"][name]
            # what is frozen is not saved; buffers hold some that no state dict has
            network.load_state_dict(saved["weights"] | saved["buffers"], strict=False)
            self.averages[name].values = saved["average"]
            self.optimisers[name].load_state_dict(saved["optimiser"])


def has_dropout(network: nn.Module) -> bool:
    """Whether a network draws random numbers while it is trained."""
    kind = nn.modules.dropout._DropoutNd
    return any(isinstance(m, kind) and m.p > 0 for m in network.modules())


def _short(values: dict[str, float]) -> str:
    """The losses that are minimised, for the progress bar."""
    return " ".join(f"{k} {v:.4f}" for k, v in values.items() if k.endswith("loss"))


def accelerator(precision: str, device: str) -> Any:
    """An Accelerator for this process.

    Args:
        precision: 'fp32' or 'bf16'.
        device: 'cpu', 'cuda' or 'cuda:N'; under `accelerate launch` each process has its own.
    """
    from accelerate import Accelerator

    if device.startswith("cuda:"):
        torch.cuda.set_device(device)
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no", cpu=device == "cpu")
