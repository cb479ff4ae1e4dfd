"use strict";

const atlas = JSON.parse(document.getElementById("data").textContent);
const { model, layers, photos, cells, sheets } = atlas;
const labels = model.labels;
const rowOfPhoto = new Map(photos.map((photo, row) => [photo[0], row]));
const layerNumber = new Map(layers.map((layer, i) => [layer.name, i]));
const cellOf = new Map(cells.map((cell) => [`${cell.truth}/${cell.answer}`, cell]));
const main = document.getElementById("main");
const panel = document.getElementById("unit");

/* Elements: h("a.tile", {href: "#"}, child, "text") */
function h(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const number = (value) => (value === null ? "–" : Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2));
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;
const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/* One picture of a sheet */
function picture(sheet, row, said, kind = "") {
  const [columns, , , height, width] = sheets[sheet];
  const made = h(`span.px.s-${sheet}${kind}`, { role: "img", "aria-label": said, title: said });
  made.style.cssText = `--columns:${columns};--h:${height};--w:${width};--x:${row % columns};--y:${Math.floor(row / columns)}`;
  return made;
}

function photo(index, box = null) {
  const row = rowOfPhoto.get(index);
  if (row === undefined) return null;
  const [, label, answer, sure] = photos[row];
  const read = label === answer ? "read right" : `read as ${labels[answer]}`;
  const made = picture("photos", row, `Test image ${index}: ${labels[label]}, ${read} with ${percent(sure, 0)}`);
  if (box) made.append(frame(box));
  return made;
}

function frame([top, left, bottom, right]) {
  const [, , , height, width] = sheets.photos;
  const made = h("span.box");
  made.style.cssText = `top:${(100 * top) / height}%;left:${(100 * left) / width}%;width:${(100 * (right - left)) / width}%;height:${(100 * (bottom - top)) / height}%`;
  return made;
}

/* What a position sees, unless that is all */
function fieldBox(layer, row, column) {
  if (!layer.field || row === undefined) return null;
  const [top, bottom] = layer.field.rows[row];
  const [left, right] = layer.field.columns[column];
  const [, height, width] = model.shape;
  return bottom - top >= height && right - left >= width ? null : [top, left, bottom, right];
}

function drawn(layer, unit, kind = "") {
  const name = unitName(layer, unit);
  return picture(`drawn-${layerNumber.get(layer.name)}`, unit, `What drives ${name} most`, kind);
}

const unitName = (layer, unit) => (layer.name === atlas.last ? `“${labels[unit]}”` : `${layer.name} ${unit}`);
const unitLink = (layer, unit) => `#/layers/${layer.name}/${unit}`;

/* Units */
let shown = "all";

function unitsPage(name) {
  const layer = layers[layerNumber.get(name) ?? 0];
  const dead = layer.units.filter((unit) => unit.dead).length;
  const twins = new Set(layer.duplicates.flatMap(([a, b]) => [a, b]));
  const kinds = [["all", `all ${layer.units.length}`], dead && ["dead", `${dead} dead`], twins.size && ["twins", `${twins.size} with a twin`]].filter(Boolean);
  if (!kinds.some(([key]) => key === shown)) shown = "all";
  const visible = layer.units.map((unit, i) => i).filter((i) => shown === "all" || (shown === "dead" ? layer.units[i].dead : twins.has(i)));
  const list = h("div.layers", { role: "navigation", "aria-label": "Layers" }, layers.map((one) =>
    h("a", { href: `#/layers/${one.name}`, "aria-current": one === layer ? "true" : null }, h("span", {}, one.name), h("small", {}, one.shape.join("×")))));
  const tiles = h("div.tiles", {}, visible.map((i) => tile(layer, i, twins.has(i))));
  const field = layer.field ? `each position sees ${layer.field.size}×${layer.field.size} pixels` : "each unit sees the whole image";
  return [
    h("h1", {}, "What every unit looks for"),
    h("p.lead", {}, `Each picture was made to drive its unit as far as it goes. Open one to see the real images that drive it most, and how it answers over the test set.`),
    h("div.units", {}, list, h("section", {},
      h("div.head", {}, h("h2", {}, layer.name), h("span.facts", {}, `${count(layer.units.length, "unit")}, ${layer.kind.replace("_", " ")}, ${field}`)),
      kinds.length > 1 ? h("div.tools", {}, kinds.map(([key, text]) => h("button", { "aria-pressed": String(key === shown), onclick: () => { shown = key; show(); } }, text))) : null,
      tiles)),
  ];
}

function tile(layer, i, twin) {
  const unit = layer.units[i];
  const face = unit.dead ? h("span.none", {}, "dead") : drawn(layer, i);
  const name = layer.name === atlas.last ? labels[i] : i;
  return h("a.tile", { href: unitLink(layer, i), "data-unit": i }, face, h("span", {}, name, twin ? h("sup", { title: "another unit does the same" }, " ≈") : null));
}

/* One unit, at the side */
function openUnit(layer, i) {
  const unit = layer.units[i];
  panel.replaceChildren(...[
    h("div.bar", {}, h("h2", {}, unitName(layer, i)), h("div", {},
      h("button", { onclick: () => step(-1), "aria-label": "Unit before", title: "Unit before (←)" }, "←"),
      h("button", { onclick: () => step(1), "aria-label": "Next unit", title: "Next unit (→)" }, "→"),
      h("button", { onclick: closeUnit, "aria-label": "Close", title: "Close (Esc)" }, "✕"))),
    h("p.quiet", {}, `Unit ${i} of ${layer.units.length} in ${layer.name}`),
    unit.dead ? h("p.note", {}, "Dead: it answers the same to every image of the test set, so there is nothing to draw.") : null,
    h("div.hero", {}, unit.dead ? null : h("figure", {}, drawn(layer, i, ".main"), h("figcaption", {}, `drawn, answers ${number(unit.answer)}`)), filter(layer, i)),
    best(layer, unit), past(layer, i), numbers(unit), byClass(unit), twinsOf(layer, i)].filter(Boolean));
  panel.hidden = false;
  document.body.classList.add("open");
  panel.scrollTop = 0;
  for (const one of main.querySelectorAll("[data-unit]")) {
    if (Number(one.dataset.unit) === i) one.setAttribute("aria-current", "true");
    else one.removeAttribute("aria-current");
  }
}

function filter(layer, i) {
  if (!sheets.filters || !atlas.filters.includes(layer.name)) return null;
  return h("figure", {}, picture("filters", i, `Weights of ${layer.name} ${i}`, ".side"), h("figcaption", {}, "its weights, grey is zero"));
}

function best(layer, unit) {
  const figures = unit.top.map(([index, value, row, column]) => {
    const found = photo(index, fieldBox(layer, row, column));
    return found && h("figure", {}, found, h("figcaption", {}, `${number(value)} · ${labels[photos[rowOfPhoto.get(index)][1]]}`));
  }).filter(Boolean);
  if (!figures.length || unit.dead) return null;
  const boxed = layer.field && fieldBox(layer, unit.top[0][2], unit.top[0][3]);
  return h("section.part", {}, h("h3", {}, boxed ? "Test images that drive it most, and where" : "Test images that drive it most"), h("div.nine", {}, figures));
}

/* Over the epochs of the training: drawn above, the test image that drove it most below */
function past(layer, i) {
  if (!atlas.stages.length) return null;
  const kept = layer.units[i];
  const then = atlas.stages.map((stage, k) => [`epoch ${stage.epoch}`, `then-${k}-${layerNumber.get(layer.name)}`, stage.answers[layer.name][i], stage.best[layer.name]?.[i]]);
  const now = ["published", `drawn-${layerNumber.get(layer.name)}`, kept.answer, kept.top[0]];
  return h("section.part", {}, h("h3", {}, "How it came to be"), h("p.quiet", {}, "Drawn at epochs of its training; below, the test image that drove it most then."),
    h("div.past", {}, [...then, now].map(([when, sheet, answer, top]) =>
      h("figure", {}, picture(sheet, i, `${unitName(layer, i)}, ${when}`), top ? photo(top[0]) : null, h("figcaption", {}, when, h("br"), number(answer))))));
}

function numbers(unit) {
  if (!unit.range || unit.dead) return null;
  const highest = unit.range[unit.range.length - 1];
  const facts = [["median", number(unit.range[4])], ["highest", number(highest)], ["active on", percent(unit.active)],
    ["mean", number(unit.mean)], ["deviation", number(unit.std)], ["its picture", highest > 0 ? `${(unit.answer / highest).toFixed(1)}× highest` : number(unit.answer)]];
  return h("section.part", {}, h("h3", {}, "Over the test set, each image's highest answer"), spread(unit),
    h("dl.numbers", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
}

/* lowest, 1, 5, 25, 50, 75, 95, 99 %, highest; and where the picture lies */
function spread(unit) {
  const values = unit.range;
  const low = Math.min(values[0], unit.answer);
  const high = Math.max(values[8], unit.answer);
  const x = (value) => 4 + (392 * (value - low)) / (high - low || 1);
  const bar = (kind, from, to) => svg("rect", { class: kind, x: x(from), y: 8, width: Math.max(1, x(to) - x(from)), height: 14, rx: 3 });
  return svg("svg", { class: "spread", viewBox: "0 0 400 46", preserveAspectRatio: "none", role: "img", "aria-label": "Spread of its answers" },
    svg("line", { class: "line", x1: x(values[0]), x2: x(values[8]), y1: 15, y2: 15 }), bar("wide", values[2], values[6]), bar("half", values[3], values[5]),
    svg("line", { class: "middle", x1: x(values[4]), x2: x(values[4]), y1: 6, y2: 24 }),
    svg("circle", { class: "drawn", cx: x(unit.answer), cy: 15, r: 5 }),
    svg("text", { x: 4, y: 40 }, number(low)), svg("text", { x: 396, y: 40, "text-anchor": "end" }, number(high)));
}

function byClass(unit) {
  if (!unit.classes || unit.dead) return null;
  const order = unit.classes.map((value, i) => [value, i]).sort((a, b) => b[0] - a[0]).slice(0, 10);
  const least = Math.min(0, ...unit.classes);
  const scale = Math.max(...unit.classes) - least || 1;
  return h("section.part", {}, h("h3", {}, labels.length > 10 ? "Mean by class, the ten highest" : "Mean by class"),
    h("div.bars", {}, order.flatMap(([value, i], rank) => {
      const bar = h(rank ? "i" : "i.first");
      bar.style.width = `${(100 * (value - least)) / scale}%`;
      return [h("span", {}, labels[i]), h("span", {}, bar), h("span", {}, number(value))];
    })));
}

function twinsOf(layer, i) {
  const twins = layer.duplicates.filter(([a, b]) => a === i || b === i).map(([a, b, value]) => [a === i ? b : a, value]);
  if (!twins.length) return null;
  return h("section.part", {}, h("h3", {}, "Units that do the same"), h("div.chips", {}, twins.map(([other, value]) =>
    h("a.chip", { href: unitLink(layer, other) }, `${other} · ${value.toFixed(3)}`))));
}

function step(by) {
  const [, name, unit] = route();
  const layer = layers[layerNumber.get(name) ?? 0];
  const next = Number(unit) + by;
  if (next >= 0 && next < layer.units.length) location.replace(unitLink(layer, next));
}

function closeUnit() {
  const [part, name] = route();
  location.hash = part === "layers" ? `#/layers/${name ?? layers[0].name}` : `#/${part}`;
}

/* Classes */
function classesPage() {
  const layer = layers[layerNumber.get(atlas.last)];
  return [
    h("h1", {}, "What each class looks like to it"),
    h("p.lead", {}, "The picture that drives a class's logit furthest, beside the test images that do."),
    h("div.cards", {}, labels.map((label, k) => {
      const row = model.confusion ? model.confusion[k] : null;
      const total = row ? row.reduce((a, b) => a + b, 0) : 0;
      const wrong = row ? row.map((n, j) => [n, j]).filter(([n, j]) => n && j !== k).sort((a, b) => b[0] - a[0]).slice(0, 3) : [];
      return h("article.card", {},
        h("h2", {}, label, h("small", {}, total ? `${percent(row[k] / total)} of ${total.toLocaleString("en")} right` : "")),
        h("a", { href: unitLink(layer, k) }, drawn(layer, k, ".main")),
        h("div.six", {}, layer.units[k].top.map(([index]) => photo(index))),
        wrong.length ? h("p", {}, "taken for ", wrong.flatMap(([n, j], i) => [i ? ", " : "", h("a", { href: `#/mistakes/${k}/${j}` }, labels[j]), ` ${n}`])) : null);
    })),
  ];
}

/* The map */
const PALETTE = ["#d1495b", "#2e86ab", "#e09f3e", "#3c9d6b", "#7b5ea7", "#a0623a", "#d67ab1", "#6f7d8c", "#a8a12f", "#2aa6a6"];
const colour = (k) => (labels.length <= 10 ? PALETTE[k] : `hsl(${(k * 137.5) % 360} ${k % 2 ? 70 : 52}% ${[46, 58, 38][k % 3]}%)`);
let hidden = new Set();

function mapPage() {
  if (!atlas.map.length) return [h("h1", {}, "The test set as a map"), h("p.lead", {}, "This version was published without one.")];
  const canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": "Map of test images. Arrow keys move from image to image." });
  const seen = h("div.seen", { "aria-live": "polite" });
  const legend = h("div.legend", {}, labels.map((label, k) => {
    const made = h("button", { "aria-pressed": String(!hidden.has(k)), onclick: () => {
      hidden.has(k) ? hidden.delete(k) : hidden.add(k);
      made.setAttribute("aria-pressed", String(!hidden.has(k)));
      draw();
    } }, h("i"), label);
    made.style.setProperty("--c", colour(k));
    return made;
  }));
  let chosen = -1;
  const scale = () => canvas.width / 2 / 1.06;
  const place = (point) => [canvas.width / 2 + point[0] * scale(), canvas.height / 2 - point[1] * Math.min(scale(), canvas.height / 2 / 1.06)];

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    const box = canvas.getBoundingClientRect();
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    const ink = getComputedStyle(document.body).color;
    const context = canvas.getContext("2d");
    for (const wrong of [false, true]) {
      for (const point of atlas.map) {
        const [, , , label, answer] = point;
        if ((label !== answer) !== wrong || hidden.has(label)) continue;
        const [x, y] = place(point);
        context.beginPath();
        context.arc(x, y, (wrong ? 4 : 2.6) * ratio, 0, 7);
        context.globalAlpha = wrong ? 1 : 0.8;
        context.fillStyle = colour(label);
        context.fill();
        if (wrong) { context.lineWidth = 1.6 * ratio; context.strokeStyle = ink; context.stroke(); }
      }
    }
    if (chosen >= 0) {
      const [x, y] = place(atlas.map[chosen]);
      context.beginPath();
      context.arc(x, y, 9 * ratio, 0, 7);
      context.lineWidth = 2 * ratio;
      context.strokeStyle = ink;
      context.globalAlpha = 1;
      context.stroke();
    }
  }

  function look(i) {
    chosen = i;
    if (i < 0) {
      seen.replaceChildren(h("p.quiet", {}, `${count(atlas.map.length, "test image")} as the last layer tells them apart. Point at one to see it; rings are mistakes.`));
    } else {
      const [, , index, label, answer] = atlas.map[i];
      seen.replaceChildren(...[photo(index), h("div", {}, h("h2", {}, labels[label]), h("p.quiet", {}, label === answer ? "read right" : "read as ", label === answer ? "" : h("span.wrong", {}, labels[answer])), h("p.quiet", {}, `image ${index}`))].filter(Boolean));
    }
    draw();
  }

  function nearest(event) {
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const at = [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
    let best = -1, least = (24 * ratio) ** 2;
    atlas.map.forEach((point, i) => {
      if (hidden.has(point[3])) return;
      const [x, y] = place(point);
      const far = (x - at[0]) ** 2 + (y - at[1]) ** 2;
      if (far < least) { least = far; best = i; }
    });
    if (best !== chosen) look(best);
  }

  /* The nearest image in the direction of an arrow key */
  function wander(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const way = ways[event.key];
    if (!way) return;
    event.preventDefault();
    event.stopPropagation();
    const from = chosen < 0 ? [0, 0] : atlas.map[chosen];
    let best = -1, least = Infinity;
    atlas.map.forEach((point, i) => {
      if (i === chosen || hidden.has(point[3])) return;
      const dx = point[0] - from[0], dy = point[1] - from[1];
      const ahead = dx * way[0] + dy * way[1], beside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (ahead > 1e-6 && beside <= 2 * ahead && ahead + 2 * beside < least) { least = ahead + 2 * beside; best = i; }
    });
    if (best >= 0) look(best);
  }

  canvas.addEventListener("pointermove", nearest);
  canvas.addEventListener("pointerdown", nearest);
  canvas.addEventListener("keydown", wander);
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  look(-1);
  return [h("h1", {}, "The test set as the network sees it"), h("p.lead", {}, "Images that the last layer can hardly tell apart lie near each other (t-SNE of its input). Distances between far groups mean little."),
    h("div.chart", {}, canvas, h("div", {}, seen, legend))];
}

/* Mistakes */
function mistakesPage(truth, answer) {
  if (!cells.length) return [h("h1", {}, "Which it takes for which"), h("p.lead", {}, "This version was published without its confusions.")];
  const n = labels.length;
  const wide = n > 12;
  const tall = labels.some((label) => label.length > 2);
  const rows = labels.map((_, t) => labels.map((_, a) => cellOf.get(`${t}/${a}`)?.count ?? 0));
  const current = `${truth}/${answer}`;
  const table = h("table", {},
    h("thead", {}, h("tr", {}, h("th", {}, ""), labels.map((label) => h(tall ? "th.tall" : "th", { title: label, scope: "col" }, label)))),
    h("tbody", {}, rows.map((row, t) => {
      const total = row.reduce((a, b) => a + b, 0) || 1;
      return h("tr", {}, h("th", { title: labels[t], scope: "row" }, labels[t]), row.map((value, a) => {
        if (!value) return h("td");
        const share = value / total;
        const strength = t === a ? 18 : Math.min(85, 14 + 110 * share ** 0.5);
        const made = h("button", { "aria-label": `${labels[t]} read as ${labels[a]}: ${value}`, title: `${labels[t]} → ${labels[a]}: ${value}`,
          "aria-current": current === `${t}/${a}` ? "true" : null, onclick: () => { location.hash = `#/mistakes/${t}/${a}`; } }, wide ? "" : value);
        made.style.background = `color-mix(in srgb, var(${t === a ? "--bar" : "--accent"}) ${strength.toFixed(0)}%, transparent)`;
        return h("td", {}, made);
      }));
    })));
  const longest = Math.max(...labels.map((label) => label.length));
  const names = Math.min(110, 14 + 8 * longest);
  table.style.setProperty("--cell", wide ? "15px" : "36px");
  table.style.setProperty("--names", `${names}px`);
  table.style.minWidth = `${names + n * (wide ? 17 : 31)}px`;
  return [h("h1", {}, "Which it takes for which"),
    h("p.lead", {}, "A row is what an image shows, a column what it was read as. Open a cell to see its images and the units that were misled."),
    h("div.mistakes", {}, h("div.matrix", {}, table), h("section", { id: "cell", "aria-live": "polite" }, cellPart(cellOf.get(current) ?? worst())))];
}

const worst = () => cells.filter((cell) => cell.truth !== cell.answer).sort((a, b) => b.count - a.count)[0] ?? cells[0];

function cellPart(cell) {
  const right = cell.truth === cell.answer;
  const shownPhotos = cell.images.map((index) => {
    const found = photo(index);
    return found && h("figure", {}, found, h("figcaption", {}, percent(photos[rowOfPhoto.get(index)][3], 0)));
  }).filter(Boolean);
  return [
    h("h2", {}, labels[cell.truth], right ? " read right" : h("span", {}, " read as ", h("span.wrong", {}, labels[cell.answer]))),
    h("p.quiet", {}, right ? `${count(cell.count, "image")}, from the least sure to the surest` : `${count(cell.count, "image")}, the surest mistake first`),
    h("div.photos", {}, shownPhotos),
    cell.units.length ? h("section.part", {}, h("h3", {}, `Units furthest from what a “${labels[cell.truth]}” gives them`), h("div.misled", {}, cell.units.map(([name, unit, here, usual, effect]) => {
      const layer = layers[layerNumber.get(name)];
      return h("a", { href: unitLink(layer, unit) }, layer.units[unit].dead ? null : drawn(layer, unit), h("span", {}, h("b", {}, unitName(layer, unit)), h("br"),
        `${number(here)} here, ${number(usual)} as a rule (${effect > 0 ? "+" : ""}${effect.toFixed(1)} σ)`));
    }))) : null,
  ].filter(Boolean);
}

/* Where we are: #/part/a/b. Names of layers hold no slash. */
const route = () => decodeURIComponent(location.hash.replace(/^#\//, "")).split("/").filter(Boolean);
let last = "";

function show() {
  const [part = "layers", a, b] = route();
  const name = layerNumber.has(a) ? a : layers[0].name;
  const pages = { layers: () => unitsPage(name), classes: classesPage, map: mapPage, mistakes: () => mistakesPage(a, b) };
  const page = pages[part] ? part : "layers";
  const key = page === "layers" ? `layers/${name}/${shown}` : page === "mistakes" ? location.hash : page;
  if (key !== last) {
    const keep = page === "mistakes" && last.startsWith("#/mistakes");
    main.replaceChildren(...pages[page](), foot());
    if (!keep) scrollTo(0, 0);
    const current = main.querySelector(".layers [aria-current]");
    if (current) current.parentElement.scrollLeft = current.offsetLeft - 40;
    if (keep && innerWidth <= 860) document.getElementById("cell")?.scrollIntoView();
    last = key;
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.part === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const unit = page === "layers" ? Number.parseInt(b, 10) : Number.NaN;
  const layer = layers[layerNumber.get(name)];
  if (unit >= 0 && unit < layer.units.length) openUnit(layer, unit);
  else if (!panel.hidden) {
    panel.hidden = true;
    document.body.classList.remove("open");
    main.querySelector("[data-unit][aria-current]")?.focus();
    for (const one of main.querySelectorAll("[data-unit][aria-current]")) one.removeAttribute("aria-current");
  }
}

function foot() {
  const right = model.accuracy === null ? "" : ` ${percent(model.accuracy, 2)} right on ${count(model.images, "test image")} of ${model.split}.`;
  return h("p.foot", {}, `${model.ref}: ${model.network}, ${count(model.parameters, "parameter")}.${right} Pictures: activation maximisation, preset ${atlas.made.preset}${atlas.made.steps ? `, ${atlas.made.steps} steps` : ""}, seed ${atlas.made.seed}. Made by glyphscope-train atlas from weights ${model.digest}. `,
    h("kbd", {}, "←"), " ", h("kbd", {}, "→"), " units  ", h("kbd", {}, "↑"), " ", h("kbd", {}, "↓"), " layers  ", h("kbd", {}, "Esc"), " closes");
}

addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  const [part = "layers", name = layers[0].name, unit] = route();
  if (part !== "layers") return;
  if (event.key === "Escape" && !panel.hidden) closeUnit();
  else if ((event.key === "ArrowRight" || event.key === "ArrowLeft") && unit !== undefined) step(event.key === "ArrowRight" ? 1 : -1);
  else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && (unit !== undefined || document.activeElement?.closest(".layers"))) {
    const next = layers[layerNumber.get(name) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    location.replace(unit === undefined ? `#/layers/${next.name}` : unitLink(next, Math.min(Number(unit), next.units.length - 1)));
  }
});
show();
