"""What can be asked: models, their manifests and their layers."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from service.document import openapi
from service.document.openapi import ModelName
from service.formats.answers import freshness, read
from service.layers import can_hear, can_maximise
from service.runtime import runtime
from service.versions.inspection import Listing

if TYPE_CHECKING:
    from glyphscope.networks import LayerInfo, Network

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", summary="All models", responses=openapi.MODELS)
async def models(request: Request) -> Response:
    """Names with their versions and aliases; what is told of data and metrics is the production
    version's. `serving` is what answers under each alias, `held` says why that is not what the
    alias names, and `broken` lists the versions that are refused, each with its reason."""
    listings = await runtime(request).registry.survey()
    return read(request, {"models": [_model(listing) for listing in listings]})


@router.get("/{model}", summary="A version's manifest", responses=openapi.MANIFEST)
async def manifest(request: Request, model: ModelName) -> Response:
    """`model` is `name`, `name@7` or `name@alias`; a bare name means its alias `production`."""
    found = await runtime(request).registry.manifest(model)
    return read(
        request, {**found.model_dump(mode="json"), "digest": found.digest}, freshness(model)
    )


@router.get("/{model}/layers", summary="A version's layers", responses=openapi.LAYERS)
async def layers(request: Request, model: ModelName) -> Response:
    """In the order of a forward pass, with what each can be asked for."""
    checkpoint = await runtime(request).registry.checkpoint(model)
    return read(
        request,
        {
            "model": checkpoint.manifest.name,
            "version": checkpoint.manifest.version,
            "epochs": list(checkpoint.snapshots),
            "layers": [_layer(checkpoint.network, layer) for layer in checkpoint.network.layers],
        },
        freshness(model),
    )


def _model(listing: Listing) -> dict[str, Any]:
    manifest = listing.manifest
    metrics = manifest.metrics if manifest else None
    spec = manifest.input if manifest else None
    return {
        "name": listing.name,
        "versions": listing.versions,
        "aliases": listing.aliases,
        "production": listing.production,
        "dataset": manifest.training.dataset if manifest and manifest.training else None,
        "labels": manifest.labels.names if manifest else [],
        "accuracy": metrics.accuracy if metrics else None,
        "n": metrics.n if metrics else None,
        "split": metrics.split if metrics else None,
        "input": spec.model_dump(include={"channels", "height", "width"}) if spec else None,
        "serving": listing.serving,
        "held": [vars(each) for each in listing.held],
        "rollout": listing.rollout.model_dump(mode="json", exclude={"loaded"}),
        "broken": [{"version": each.version, "reason": each.reason} for each in listing.broken],
    }


def _layer(network: "Network", layer: "LayerInfo") -> dict[str, Any]:
    from glyphscope.filters import kernel_shape  # here: it needs PyTorch

    return {
        "name": layer.name,
        "kind": layer.kind,
        "output_shape": layer.output_shape,
        "units": layer.units,
        "spatial": layer.spatial,
        "parameters": layer.parameters,
        "kernel": kernel_shape(network, layer.name),
        "activations": can_hear(layer),
        "maximise": can_maximise(layer),
    }
