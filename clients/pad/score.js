/**
 * What tells whether a picture can be believed, in words: figures against the unit's own best test
 * images, and the real image that comes nearest.
 *
 *   show(box, result)     empties the box where nothing is known
 */

import { short } from "/pad/number.js";

/** Within these shares of real images a picture is as rough as they are. */
const CALM = 0.7;
const ROUGH = 1.5;

export function show(box, result) {
  box.replaceChildren(...(result && !result.dead && result.score ? rows(result.score) : []));
  box.hidden = !box.childElementCount;
}

function rows({ high_frequency: fine, total_variation: edges, nearest }) {
  return [
    ...(fine === null ? [] : row("Fine detail", times(fine), judged(fine))),
    ...(edges === null ? [] : row("Edges", times(edges), judged(edges))),
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

const times = (value) => `${short(value)} × real`;

function judged(value) {
  if (value > ROUGH) return "noisier than real images";
  return value < CALM ? "smoother than real images" : "as in real images";
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
