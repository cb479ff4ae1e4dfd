/**
 * A map of numbers over the picture that they are about.
 *
 *   Heat {width, height, values, most}   values row by row, `most` the largest magnitude
 *   overlay(canvas, heat, light, scheme) `light`: the picture, 0..1 a pixel
 *
 * What is for the class is warm, what is against it cold, and what does not matter leaves the
 * picture as it is: faint, so that it never looks like a value.
 */

const PALETTE = {
  light: { ground: [250, 248, 245], ink: [33, 31, 28], for: [194, 67, 26], against: [23, 96, 190] },
  dark: { ground: [28, 26, 24], ink: [243, 240, 235], for: [255, 140, 88], against: [92, 164, 255] },
};

const FAINT = 0.3;

/** @param rows a list of rows, as the service sends them */
export function heatOf(rows) {
  const values = Float32Array.from(rows.flat());
  const most = values.reduce((a, value) => Math.max(a, Math.abs(value)), 0);
  return { width: rows[0].length, height: rows.length, values, most };
}

export function overlay(canvas, { width, height, values, most }, light, scheme) {
  const { ground, ink, for: warm, against: cold } = PALETTE[scheme];
  const image = new ImageData(width, height);
  for (let i = 0; i < values.length; i += 1) {
    const share = most ? Math.abs(values[i]) / most : 0;
    const base = mix(ground, ink, FAINT * (light?.[i] ?? 0));
    image.data.set([...mix(base, values[i] > 0 ? warm : cold, share), 255], 4 * i);
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** For a legend: from all against to all for. */
export function gradient(scheme) {
  const { ground, for: warm, against: cold } = PALETTE[scheme];
  return `linear-gradient(to right, ${[cold, ground, warm].map((c) => `rgb(${c.join(" ")})`).join(", ")})`;
}

/** The lightness of a PNG in base64: Float32Array of 0..1, a number a pixel. */
export async function lightness(png) {
  const bytes = Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const surface = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  surface.drawImage(bitmap, 0, 0);
  const { data } = surface.getImageData(0, 0, bitmap.width, bitmap.height);
  return Float32Array.from({ length: data.length / 4 }, (_, i) => {
    const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
  });
}

const mix = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);
