/**
 * What tells whether a picture can be believed, in words: figures against the unit's own best test
 * images, and the real image that comes nearest.
 *
 *   show(box, result)     empties the box where nothing is known
 */

import { short } from "/pad/number.js";

/** Within these multiples of its best test images a picture is as rough as they are. */
const DETAIL = [0.5, 1.5];
const EDGES = [0.7, 1.3];

export function show(box, result) {
  box.replaceChildren(...(result && !result.dead && result.score ? rows(result.score) : []));
  box.hidden = !box.childElementCount;
}

function rows({ r = null, high_frequency: fine, total_variation: edges, nearest }) {
  return [
    ...(r === null ? [] : row("Strength", r < 100 ? r.toFixed(2) : short(r), driven(r))),
    ...(fine === null ? [] : row("Fine detail", times(fine), judged(fine, DETAIL))),
    ...(edges === null ? [] : row("Edges", times(edges), judged(edges, EDGES))),
    ...(nearest === null ? [] : row("Nearest test image", near(nearest), "")),
  ];
}

function row(name, value, note) {
  const term = document.createElement("dt");
  const about = document.createElement("dd");
  term.textContent = name;
  about.append(value, note && ` · ${note}`);
  return [term, about];
}

/** On the scale of the test set: 0 is its median image, 1 the one that drives the unit most. */
const driven = (r) => (r > 1 ? "beyond the best test image" : "best test image 1, median 0");

const times = (value) => `${value < 10 ? value.toFixed(2) : short(value)} × real`;

function judged(value, [least, most]) {
  if (value > most) return "rougher than real images";
  return value < least ? "smoother than real images" : "as in real images";
}

function near({ index, label, image }) {
  const found = document.createElement("span");
  found.className = "nearest";
  if (image) {
    const picture = document.createElement("img");
    Object.assign(picture, { src: image, alt: "", width: 28, height: 28, loading: "lazy" });
    found.append(picture);
  }
  found.append(`a “${label}”, no. ${index}`);
  return found;
}
