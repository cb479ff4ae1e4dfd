/**
 * What the layers answered to one drawing.
 *
 *   Maps {shape, values, low, high, extent}   one layer; shape (C, H, W) or (C,), low and high its
 *                                             range, extent(unit) the range that its colours span
 */

/** Whose values span the colours: RANGES[name](layer, whole) -> (unit) -> {low, high}. */
const RANGES = {
  unit: (layer) => {
    // A flat layer's unit is one number: alone it has no range.
    if (layer.shape.length === 1) return () => layer;
    const own = Array.from({ length: layer.shape[0] }, (_, unit) => range(layer.values, ...span(layer, unit)));
    return (unit) => own[unit];
  },
  layer: (layer) => () => layer,
  network: (_, whole) => () => whole,
};

/** @param tensors Map(layer -> {shape: (1, ...), values}), as the service sends it */
export function fromTensors(tensors, spanned = "layer") {
  const out = new Map();
  for (const [layer, { shape, values }] of tensors) {
    out.set(layer, { shape: shape.slice(1), values, ...range(values, 0, values.length) });
  }
  return coloured(out, spanned);
}

/** The same maps with colours that span another range: "unit", "layer" or "network". */
export function coloured(maps, spanned) {
  const all = [...maps.values()];
  const low = Math.min(...all.map((layer) => layer.low));
  const high = Math.max(...all.map((layer) => layer.high));
  return new Map(
    [...maps].map(([name, layer]) => [
      name,
      { ...layer, spanned, extent: RANGES[spanned](layer, { low, high }) },
    ]),
  );
}

/** {low, high, mean} of one channel, and `share`: where its mean lies among the colours, 0..1. */
export function statistics(layer, unit) {
  const [from, to] = span(layer, unit);
  const { low, high } = layer.extent(unit);
  let sum = 0;
  for (let i = from; i < to; i += 1) sum += layer.values[i];
  const mean = sum / (to - from);
  const share = (mean - low) / (high - low || 1);
  return { ...range(layer.values, from, to), mean, share };
}

/** Where a channel's values begin and end. */
function span({ shape }, unit) {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  return [unit * size, (unit + 1) * size];
}

function range(values, from, to) {
  let low = Infinity;
  let high = -Infinity;
  for (let i = from; i < to; i += 1) {
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return { low, high };
}
