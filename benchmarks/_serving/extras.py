"""What only this service has: maps of every layer, and several processes on one port."""

import sys
from pathlib import Path

from benchmarks._serving import bodies, contenders, load, server
from benchmarks._serving.card import Card

FORMATS = ("safetensors", "npz")

BINARIES = Path(sys.executable).parent


def maps(card: Card, rounds: int, seconds: int) -> dict[str, list[float]]:
    """Microseconds a request from one connection: a bare pass with its copy, and each format."""
    body = bodies.raw(bodies.png(card.images[0]), "image/png")
    bare = contenders.limit("bare", "limit_ort.py", BENCH_MAPS="1", BENCH_MODEL=str(card.maps))
    found: dict[str, list[float]] = {name: [] for name in ("bare", *FORMATS)}
    with (
        server.running(bare, BINARIES, card, body) as limit,
        server.running(contenders.ours(card), BINARIES, card, body) as ours,
    ):
        for _ in range(rounds):
            result = load.drive(limit.url + "/", body, "", 0, 1, seconds)
            found["bare"].append(1e6 / result.rate)
            for name in FORMATS:
                url = f"{ours.url}/v1/models/card/activations?format={name}"
                found[name].append(1e6 / load.drive(url, body, "", 0, 1, seconds).rate)
    return found


def workers(card: Card, rounds: int, seconds: int) -> dict[int, list[float]]:
    """Requests a CPU second and process, with one process and with two, from 64 connections."""
    body = bodies.raw(bodies.png(card.images[0]), "image/png")
    found: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(rounds):
        for count in found:
            ours = contenders.ours(card, count)
            with server.running(ours, BINARIES, card, body, cores="0,1") as running:
                url = running.url + ours.path
                load.drive(url, body, "label", 1, 64, 1, core="0,1")
                before = running.cpu_seconds()
                result = load.drive(url, body, "label", 1, 64, seconds, core="0,1")
                found[count].append(result.requests / (running.cpu_seconds() - before))
    return found
