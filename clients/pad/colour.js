/**
 * One colour ramp for every activation: even steps of lightness in OKLab, from deep indigo through
 * blue to nearly white (Ottosson 2020, "A perceptual color space for image processing").
 *
 *   ramp(scheme)   Uint32Array(256), each a pixel as ImageData stores it
 *   stops()        the same from dark to light, as a CSS gradient has it
 *   classColours(count, scheme)    one a class, as CSS has it
 *
 * The low end is the page's own ground: on light paper the ramp runs from pale to deep, on dark
 * paper from deep to pale. So silence looks like paper in both.
 */

const STEPS = 256;
const LIGHTNESS = [0.23, 0.972];
const HUE = [280, 228];
const CHROMA = [0.065, 0.095, 0.008];

const ramps = new Map();

export function ramp(scheme) {
  if (!ramps.has(scheme)) ramps.set(scheme, make(scheme));
  return ramps.get(scheme);
}

export function stops() {
  return [0, 0.25, 0.5, 0.75, 1].map((t) => `rgb(${colour(t).join(" ")})`).join(", ");
}

/** As many colours as there are classes, told apart by hue and, past a few, by lightness too. */
export function classColours(count, scheme) {
  const levels = scheme === "dark" ? [0.76, 0.62, 0.86] : [0.6, 0.47, 0.72];
  return Array.from({ length: count }, (_, i) => {
    const hue = 25 + (360 * i) / Math.max(1, count);
    const lightness = levels[count > 12 ? i % levels.length : 0];
    return `rgb(${srgb(lightness, 0.15, (hue * Math.PI) / 180).join(" ")})`;
  });
}

function make(scheme) {
  return Uint32Array.from({ length: STEPS }, (_, i) => {
    const t = i / (STEPS - 1);
    return pixel(colour(scheme === "dark" ? t : 1 - t));
  });
}

/** t in 0..1, dark to light -> [red, green, blue] in 0..255. */
function colour(t) {
  const [a, b, c] = CHROMA;
  const chroma = t < 0.5 ? mix(a, b, smooth(2 * t)) : mix(b, c, smooth(2 * t - 1));
  return srgb(mix(...LIGHTNESS, t), chroma, (mix(...HUE, t) * Math.PI) / 180);
}

const mix = (a, b, t) => a + (b - a) * t;
const smooth = (t) => t * t * (3 - 2 * t);

/** OKLCh -> sRGB bytes, out-of-gamut parts clipped. */
function srgb(lightness, chroma, hue) {
  const a = chroma * Math.cos(hue);
  const b = chroma * Math.sin(hue);
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map(gamma);
}

function gamma(linear) {
  const v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, v)));
}

function pixel([red, green, blue]) {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
