import pytest
from pydantic import ValidationError

from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import NotFound
from glyphscope.visualise import (
    PRESETS,
    WARPS,
    MaximisationRequest,
    Regularisers,
    Warp,
    digest,
    resolve,
    settings_of,
)
from glyphscope.visualise.presets import preset

NAMES = {
    "default", "natural", "sharp", "clean",
    "erhan2009", "simonyan2013", "yosinski2015", "lucid", "maco",
}  # fmt: skip


def ask(**more: object) -> MaximisationRequest:
    return MaximisationRequest.model_validate({"layer": "act2", **more})


def test_the_named_methods_are_there_and_cite_their_papers() -> None:
    assert set(PRESETS) == NAMES
    for name in NAMES - {"sharp"}:
        assert any(year in PRESETS[name].paper for year in ("2009", "2013", "2015", "2017", "2023"))
    with pytest.raises(NotFound, match="known: default"):
        preset("best")
    with pytest.raises(ValidationError, match="unknown preset 'best'; known: default, natural"):
        ask(preset="best")


def test_a_request_takes_a_preset_and_turns_single_knobs() -> None:
    base = PRESETS["yosinski2015"].settings
    assert settings_of(ask(preset="yosinski2015")) == base.model_copy(
        update={"regularisers": base.regularisers.over(Regularisers())}
    )
    how = settings_of(
        ask(preset="yosinski2015", steps=7, transforms="small", regularisers={"l1": 0.5, "blur": 0})
    )
    assert (how.steps, how.optimiser, how.transforms) == (7, "ascent", WARPS["small"])
    assert (how.regularisers.l1, how.regularisers.blur) == (0.5, 0)
    assert how.regularisers.l2 == base.regularisers.l2
    warp = settings_of(ask(transforms={"jitter": 0.1})).transforms
    assert warp == Warp(jitter=0.1)


def test_the_digest_is_of_the_numbers_and_not_of_the_presets_name(checkpoint: Checkpoint) -> None:
    manifest = checkpoint.manifest
    lucid = resolve(manifest, ask(preset="lucid"))
    spelt = lucid.model_copy(update={"preset": "sharp"})
    assert digest(manifest, spelt) == digest(manifest, ask(preset="lucid"))
    assert digest(manifest, ask(transforms="small")) == digest(
        manifest, ask(transforms=WARPS["small"])
    )
    assert len({digest(manifest, ask(preset=name)) for name in PRESETS}) == len(PRESETS)


def test_resolving_again_changes_nothing(checkpoint: Checkpoint) -> None:
    asked = [
        ask(),
        ask(objective="neuron", variants=3, units=[1]),
        ask(objective="layer", preset="maco"),
        ask(objective=[{"kind": "channel", "weight": -1}, {"kind": "layer", "layer": "conv1"}]),
    ]
    for request in asked:
        once = resolve(checkpoint.network, request)
        assert resolve(checkpoint.manifest, once) == once
        assert MaximisationRequest.model_validate_json(once.model_dump_json()) == once
