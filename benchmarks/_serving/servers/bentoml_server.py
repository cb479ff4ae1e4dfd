"""BentoML: one worker, uploads, adaptive batching where it batches."""

from pathlib import Path
from typing import Any

import bentoml
import network


@bentoml.service(
    workers=1,
    traffic={"timeout": 60, "max_concurrency": 512},
    logging={"access": {"enabled": False}},
)
class Card:
    def __init__(self) -> None:
        self.session = network.open_session()

    @bentoml.api(
        batchable=network.BATCH > 1, max_batch_size=max(network.BATCH, 2), max_latency_ms=1000
    )
    def many(self, files: list[Path]) -> list[Any]:
        return network.classify(self.session, [network.read(each.read_bytes()) for each in files])

    @bentoml.api
    def one(self, file: Path) -> list[Any]:
        return network.classify(self.session, [network.read(file.read_bytes())])[0]
