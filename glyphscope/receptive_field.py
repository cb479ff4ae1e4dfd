"""Which pixels a position of a layer can see: exact, from the network's description alone.

    receptive_fields(network)  ->  {layer: ReceptiveField}
    field.box(row, column)     ->  the pixels behind one position

Size, stride and offset follow the recurrence of Araujo, Norris & Sim 2019, "Computing receptive
fields of convolutional neural networks" (Distill), as if the image had no edge. Boxes know the
edge: windows are followed position by position. Where two paths meet, a box is around both.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from glyphscope import spec as s

if TYPE_CHECKING:
    from glyphscope.networks import Network

Span = tuple[int, int]
"""First pixel, and the one behind the last."""

Box = tuple[int, int, int, int]
"""top, left, bottom, right; the last two are outside."""


@dataclass(frozen=True)
class ReceptiveField:
    """Away from the edges position p sees ``size`` pixels from ``offset + stride * p`` on, in rows
    and columns alike. ``rows`` and ``columns``: what each position sees of the image; one for all
    of a layer without positions, which is then ``flat``."""

    size: int
    stride: int
    offset: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]
    flat: bool = False

    def box(self, row: int = 0, column: int = 0) -> Box:
        """Row and column are not looked at where the layer is flat."""
        (top, bottom), (left, right) = (
            (self.rows[0], self.columns[0]) if self.flat else (self.rows[row], self.columns[column])
        )
        return top, left, bottom, right


def receptive_fields(network: "Network") -> dict[str, ReceptiveField]:
    """Of every named layer, those inside residual blocks by their path."""
    _, height, width = network.spec.input_shape
    rows, columns = (tuple((i, i + 1) for i in range(n)) for n in (height, width))
    found: dict[str, ReceptiveField] = {}
    _chain(network.spec.layers, ReceptiveField(1, 1, 0, rows, columns), "", found)
    return {layer.name: found[layer.name] for layer in network.layers}


def _chain(
    layers: Iterable[s.LayerSpec],
    field: ReceptiveField,
    prefix: str,
    found: dict[str, ReceptiveField],
) -> ReceptiveField:
    for layer in layers:
        path = prefix + layer.name
        if isinstance(layer, s.Residual):
            field = _residual(layer, field, path, found)
        else:
            field = _behind(layer, field)
        found[path] = field
    return field


def _residual(
    layer: s.Residual, field: ReceptiveField, path: str, found: dict[str, ReceptiveField]
) -> ReceptiveField:
    body = _chain(layer.body, field, f"{path}.", found)
    if layer.shortcut is not None:
        around = _chain(layer.shortcut, field, f"{path}.shortcut.", found)
    else:
        # x itself, or a convolution of size 1 that gives as many positions as the body.
        stride = 1 if field.flat else body.stride // field.stride
        around = _window(field, 1, stride, 0, 0)
        found[f"{path}.shortcut"] = around
    first = min(body.offset, around.offset)
    last = max(body.offset + body.size, around.offset + around.size)
    return ReceptiveField(
        size=last - first,
        stride=body.stride,
        offset=first,
        rows=_union(body.rows, around.rows),
        columns=_union(body.columns, around.columns),
        flat=body.flat,
    )


def _behind(layer: s.LayerSpec, field: ReceptiveField) -> ReceptiveField:
    if isinstance(layer, s.Conv):
        if layer.padding == "same":
            before = (layer.kernel - 1) // 2  # of an even kernel torch pads the end by one more
            return _window(field, layer.kernel, 1, before, layer.kernel - 1 - before)
        return _window(field, layer.kernel, layer.stride, layer.padding, layer.padding)
    if isinstance(layer, s.Pool):
        return _window(field, layer.size, layer.stride or layer.size, layer.padding, layer.padding)
    if isinstance(layer, s.Subsample):
        return _window(field, 1, layer.stride, 0, 0)
    if isinstance(layer, s.Flatten | s.GlobalPool | s.Dense):
        rows, columns = ((_around(spans),) for spans in (field.rows, field.columns))
        return replace(field, rows=rows, columns=columns, flat=True)
    return field


def _window(
    field: ReceptiveField, kernel: int, stride: int, before: int, after: int
) -> ReceptiveField:
    """Behind a window that slides over ``before`` and ``after`` positions of padding as well."""
    if field.flat:
        return field
    return ReceptiveField(
        size=field.size + (kernel - 1) * field.stride,
        stride=field.stride * stride,
        offset=field.offset - before * field.stride,
        rows=_slid(field.rows, kernel, stride, before, after),
        columns=_slid(field.columns, kernel, stride, before, after),
    )


def _slid(
    spans: tuple[Span, ...], kernel: int, stride: int, before: int, after: int
) -> tuple[Span, ...]:
    count = (len(spans) + before + after - kernel) // stride + 1
    starts = (p * stride - before for p in range(count))
    return tuple(_around(spans[max(0, start) : start + kernel]) for start in starts)


def _around(spans: tuple[Span, ...]) -> Span:
    return min(first for first, _ in spans), max(last for _, last in spans)


def _union(first: tuple[Span, ...], second: tuple[Span, ...]) -> tuple[Span, ...]:
    return tuple(_around(both) for both in zip(first, second, strict=True))
