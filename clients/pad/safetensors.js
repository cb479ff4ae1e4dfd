/**
 * The safetensors format: 8 bytes of header length (little-endian), a JSON header, raw values.
 *
 *   parse(ArrayBuffer) -> Map(name -> {shape, values: Float32Array}), in the order of the data
 */

export function parse(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  delete header.__metadata__;
  const start = 8 + length;
  const entries = Object.entries(header);
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0]);
  return new Map(entries.map(([name, entry]) => [name, tensor(buffer, start, name, entry)]));
}

function tensor(buffer, start, name, { dtype, shape, data_offsets: [from, to] }) {
  if (dtype !== "F32") throw new TypeError(`${name}: expected float32, not ${dtype}`);
  // A copy, since the values need not start at a multiple of four bytes.
  return { shape, values: new Float32Array(buffer.slice(start + from, start + to)) };
}
