/**
 * What the layers answered to one drawing.
 *
 *   Maps {shape, values, low, high}   one layer; shape (C, H, W) or (C,), low and high its range
 */

/** @param tensors Map(layer -> {shape: (1, ...), values}), as the service sends it */
export function fromTensors(tensors) {
  const out = new Map();
  for (const [layer, { shape, values }] of tensors) {
    out.set(layer, { shape: shape.slice(1), values, ...range(values, 0, values.length) });
  }
  return out;
}

/** {low, high, mean} of one channel, and `share`: where its mean lies in the layer's range, 0..1. */
export function statistics({ shape, values, ...layer }, unit) {
  const size = shape.slice(1).reduce((a, b) => a * b, 1);
  const from = unit * size;
  let sum = 0;
  for (let i = from; i < from + size; i += 1) sum += values[i];
  const mean = sum / size;
  const share = (mean - layer.low) / (layer.high - layer.low || 1);
  return { ...range(values, from, from + size), mean, share };
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
