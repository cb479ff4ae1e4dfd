"""All rounds of all loads of all contenders, then the report."""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CalledProcessError

from benchmarks._serving import bodies, card, contenders, environments, extras, load, report, server
from benchmarks._serving.contenders import Contender
from benchmarks._serving.load import Result

BATCH = 256
SINGLE = (1, 16, 64)

CHECKED = 20
"""Images whose answers are compared before a load begins."""

WARM_SECONDS = 1

LABEL = "label[^0-9]+"
"""Lua's pattern for what stands before a label, whoever wrote it."""


@dataclass
class Measured:
    """One contender, over all rounds. ``loads``: connections or "batch" -> a result a round."""

    loads: dict[str, list[Result]] = field(default_factory=lambda: defaultdict(list))
    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    failed: str = ""


def run(peers: str, engine: str, rounds: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subject = card.make(Path(folder))
        chosen = [
            contenders.ours(subject),
            *contenders.limits(subject),
            *_chosen(peers, subject, engine),
        ]
        found = {each.name: Measured() for each in chosen}
        for number in range(rounds):
            for each in chosen:
                _say(f"round {number + 1} of {rounds}: {each.name}")
                _round(each, subject, seconds, found[each.name])
            _say(report.table(found))
        _say("activation maps, workers")
        maps = _tried(lambda: report.maps(extras.maps(subject, rounds, seconds)))
        workers = _tried(lambda: report.workers(extras.workers(subject, rounds, seconds)))
    print(report.whole(found, engine, rounds, seconds, maps, workers))


def _chosen(names: str, subject: card.Card, engine: str) -> list[Contender]:
    known = contenders.peers(subject, engine)
    families = list(dict.fromkeys(each.family for each in known))
    asked = {"all": families, "none": []}.get(names, names.split(","))
    for name in asked:
        if name not in families:
            sys.exit(f"unknown peer {name!r}; known: {', '.join(families)}")
    return [each for each in known if each.family in asked]


def _round(each: Contender, subject: card.Card, seconds: int, found: Measured) -> None:
    """One that cannot be run is left out, and the report says why."""
    if found.failed:
        return
    one = each.form(bodies.png(subject.images[0]), "image/png")
    try:
        binaries = _binaries(each)
        with server.running(each, binaries, subject, one) as running:
            _check(running, subject)
            found.seconds.append(running.seconds)
            for name, result in _loads(running, subject, seconds):
                found.loads[name].append(result)
            found.memory.append(running.memory())
    except (RuntimeError, OSError, CalledProcessError) as error:
        found.failed = " ".join(str(error).split())[-600:]
        _say(f"{each.name} failed: {found.failed}")


def _binaries(each: Contender) -> Path:
    if not each.requirements:
        return Path(sys.executable).parent
    return environments.binaries(each.cached, each.requirements)


def _check(running: server.Running, subject: card.Card) -> None:
    each = running.contender
    for image, label in list(zip(subject.images, subject.labels, strict=True))[:CHECKED]:
        told = running.post(each.path, each.form(bodies.png(image), "image/png")).decode()
        first = "".join(told.partition("label")[2].split())[:12]
        if label not in first:
            raise RuntimeError(f"answered {told[:200]!r} where the label is {label}")


def _loads(
    running: server.Running, subject: card.Card, seconds: int
) -> Sequence[tuple[str, Result]]:
    each, found = running.contender, []
    one = each.form(bodies.png(subject.images[0]), "image/png")
    wanted = LABEL + subject.labels[0]
    load.drive(running.url + each.path, one, wanted, 1, 16, WARM_SECONDS)
    for connections in SINGLE:
        result = load.drive(running.url + each.path, one, wanted, 1, connections, seconds)
        found.append((str(connections), result))
    many = bodies.npy(subject.images.repeat(2, axis=0)[:BATCH])
    body = each.many_form(many, "application/x-npy")
    url = running.url + (each.many or each.path)
    load.drive(url, body, "label", BATCH, 2, WARM_SECONDS)
    found.append(("batch", load.drive(url, body, "label", BATCH, 2, seconds)))
    if each.tensor is not None:
        body = bodies.oip_binary(subject.images.repeat(2, axis=0)[:BATCH])
        url = running.url + each.tensor
        found.append(("tensor", load.drive(url, body, f"%[{BATCH},10%]", 1, 2, seconds)))
    return found


def _tried(measure: Callable[[], str]) -> str:
    """What was measured before is not lost with this."""
    try:
        return measure()
    except (RuntimeError, OSError, CalledProcessError) as error:
        return f"Not measured: {' '.join(str(error).split())[-300:]}"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
