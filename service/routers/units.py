"""What each unit of a layer does over the test set."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from service.document import openapi
from service.document.openapi import LayerName, ModelName
from service.formats.answers import derived, dumps, freshness
from service.layers import layer_named
from service.microscopy import published
from service.runtime import runtime
from service.sources import source

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint
    from glyphscope.networks import LayerInfo

router = APIRouter(prefix="/v1/models", tags=["units"])


@router.get(
    "/{model}/layers/{layer}/units",
    summary="Statistics of a layer's units",
    responses=openapi.UNITS,
)
async def units(request: Request, model: ModelName, layer: LayerName) -> Response:
    """Over the test set, recorded when the version was published. Of a feature map the highest
    position counts, so an image gives a unit one number. `dead` units answer every image alike;
    `duplicates` are pairs whose maps correlate above 0.99."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    info = layer_named(checkpoint.network, layer)
    recorded = checkpoint.statistics.layers
    published(checkpoint, layer in recorded, f"statistics of layer {layer}", known=recorded)

    async def make() -> tuple[bytes, str]:
        return await found.pool.run(lambda: dumps(_document(checkpoint, info))), "application/json"

    return await derived(request, source(checkpoint.manifest), make, freshness(model))


def _document(checkpoint: "Checkpoint", layer: "LayerInfo") -> dict[str, Any]:
    statistics = checkpoint.statistics
    pairs = statistics.duplicates(layer.name)
    return {
        "model": checkpoint.manifest.name,
        "version": checkpoint.manifest.version,
        "layer": layer.name,
        "labels": checkpoint.labels,
        "units": [_unit(checkpoint, layer.name, unit) for unit in range(layer.units)],
        "dead": statistics.dead(layer.name),
        "duplicates": [{"units": pair[:2], "correlation": pair[2]} for pair in pairs],
    }


def _unit(checkpoint: "Checkpoint", layer: str, unit: int) -> dict[str, Any]:
    found = checkpoint.statistics.unit(layer, unit)
    assert found is not None
    return {
        "unit": unit,
        "lowest": found.lowest,
        "highest": found.highest,
        "mean": found.mean,
        "std": found.std,
        "median": found.median,
        "active": found.active,
        "dead": found.dead,
        "quantiles": {f"{share:g}": value for share, value in found.quantiles.items()},
        "class_means": found.class_means,
    }
