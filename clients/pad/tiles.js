/**
 * Where the channels of a layer lie, and their painting.
 *
 *   arrange(shape, width, density) -> Sheet {columns, rows, tile: [w, h], gap, width, height}
 *   place(sheet, unit)             -> [x, y] of its left upper corner
 *   hit(sheet, units, x, y)        -> the unit there, or -1
 *   paint(canvas, sheet, shape, maps, scheme, density)
 *   spread(canvas, sheet, units, density, cut)    pictures of any kind
 *
 * Lengths are CSS pixels. A map is enlarged by whole device pixels, so its pixels stay square.
 */

import { ramp } from "/pad/colour.js";

const MAP_GAP = 3;
const TALLEST = 240;
const TILE = { least: 14, most: 84 };
const CELL = { least: 5, most: 32, height: 26, gap: 1 };

export function arrange(shape, width, density) {
  return shape.length === 3 ? maps(shape, width, density) : cells(shape[0], width);
}

function maps([units, height, width], room, density) {
  const step = 1 / density;
  const least = Math.max(step, Math.ceil(TILE.least / width / step) * step);
  const fit = (scale) => sheet(units, room, [width * scale, height * scale], MAP_GAP);
  let best = fit(least);
  for (let scale = least + step; width * scale <= TILE.most; scale += step) {
    const next = fit(scale);
    if (next.height > TALLEST || next.width > room) break;
    best = next;
  }
  return best;
}

/** A dense layer: a strip of narrow cells, in as few rows as fit. */
function cells(units, room) {
  const rows = Math.ceil((units * (CELL.least + CELL.gap)) / (room + CELL.gap));
  const share = Math.floor((room + CELL.gap) / Math.ceil(units / rows)) - CELL.gap;
  const width = Math.min(CELL.most, Math.max(CELL.least, share));
  return sheet(units, room, [width, CELL.height], CELL.gap);
}

function sheet(units, room, tile, gap) {
  const most = Math.max(1, Math.floor((room + gap) / (tile[0] + gap)));
  const rows = Math.ceil(units / most);
  const columns = Math.ceil(units / rows);
  const [width, height] = [columns * (tile[0] + gap) - gap, rows * (tile[1] + gap) - gap];
  return { columns, rows, tile, gap, width, height };
}

export function place({ columns, tile, gap }, unit) {
  return [(unit % columns) * (tile[0] + gap), Math.floor(unit / columns) * (tile[1] + gap)];
}

export function hit({ columns, rows, tile, gap }, units, x, y) {
  const column = Math.floor(x / (tile[0] + gap));
  const row = Math.floor(y / (tile[1] + gap));
  const outside = column < 0 || column >= columns || row < 0 || row >= rows;
  const unit = row * columns + column;
  return outside || unit >= units ? -1 : unit;
}

/** @param maps Maps, or null for empty tiles */
export function paint(canvas, sheet, shape, maps, scheme, density) {
  const [units, height = 1, width = 1] = shape;
  const pixels = maps && atlas(sheet, maps, scheme);
  const cut = (unit) => [pixels, ...corner(sheet, unit, width, height), width, height];
  spread(canvas, sheet, units, density, pixels && cut);
}

/** @param cut (unit) -> [image, x, y, width, height] of its picture; null for empty tiles */
export function spread(canvas, sheet, units, density, cut) {
  canvas.width = Math.round(sheet.width * density);
  canvas.height = Math.round(sheet.height * density);
  const context = canvas.getContext("2d");
  context.scale(density, density);
  context.imageSmoothingEnabled = false;
  context.fillStyle = getComputedStyle(canvas).color;
  for (let unit = 0; unit < units; unit += 1) {
    const [x, y] = place(sheet, unit);
    if (cut) context.drawImage(...cut(unit), x, y, ...sheet.tile);
    else context.fillRect(x, y, ...sheet.tile);
  }
}

/** One channel alone, at its own size, in the colours that it has on the sheet. */
export function paintOne(canvas, maps, unit, scheme) {
  const [, height = 1, width = 1] = maps.shape;
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(picture(maps, unit, scheme), 0, 0);
}

/** Every map at its own size, side by side as on the sheet but without gaps. */
function atlas(sheet, maps, scheme) {
  const [units, height = 1, width = 1] = maps.shape;
  const surface = new OffscreenCanvas(sheet.columns * width, sheet.rows * height);
  const context = surface.getContext("2d");
  for (let unit = 0; unit < units; unit += 1) {
    const at = corner(sheet, unit, width, height);
    context.putImageData(picture(maps, unit, scheme), ...at);
  }
  return surface;
}

const corner = ({ columns }, unit, width, height) => [
  (unit % columns) * width,
  Math.floor(unit / columns) * height,
];

function picture({ shape: [, height = 1, width = 1], values, extent }, unit, scheme) {
  const { low, high } = extent(unit);
  const image = new ImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const colours = ramp(scheme);
  const scale = high > low ? 255 / (high - low) : 0;
  const first = unit * out.length;
  for (let i = 0; i < out.length; i += 1) {
    out[i] = colours[Math.round((values[first + i] - low) * scale)];
  }
  return image;
}
