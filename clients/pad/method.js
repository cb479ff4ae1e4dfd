/**
 * How pictures are made: a method with a name, and four knobs of it in plain words.
 *
 *   const method = new Method(parts)
 *   method.offer(presets, first)     as the service lists them
 *   method.settings                  what a request carries besides layer and unit
 *
 *   events: "change", when somebody has turned a knob and let go of it
 */

const SETTLE_MS = 250;

/** name -> where its value lies in a preset's settings, and in a request */
const KNOBS = {
  steps: { path: ["steps"], whole: true },
  smooth: { path: ["regularisers", "total_variation"] },
  dark: { path: ["regularisers", "l2"] },
};

export class Method extends EventTarget {
  #part;
  #presets = [];
  #turned = new Map();
  #seed = 0;
  #first = null;
  #timer = 0;

  constructor(part) {
    super();
    this.#part = part;
    part.preset.addEventListener("change", () => (this.#turned.clear(), this.#changed()));
    for (const name of Object.keys(KNOBS)) {
      part[name].addEventListener("input", () => this.#turn(name));
    }
    part.seed.addEventListener("input", () => this.#reseed(Number(part.seed.value)));
    part.another.addEventListener("click", () => this.#reseed(this.#seed + 1));
    part.reset.addEventListener("click", () => this.#reset());
  }

  offer(presets, first) {
    this.#presets = presets;
    const options = presets.map(({ name }) => new Option(title(name), name, false, name === first));
    this.#part.preset.replaceChildren(...options);
    this.#first = first;
    this.#say();
  }

  /** Only what differs, so that the same picture has the same name however it was come to. */
  get settings() {
    const asked = {};
    const preset = this.#part.preset.value;
    if (preset && preset !== this.#first) asked.preset = preset;
    if (this.#seed) asked.seed = this.#seed;
    for (const [name, value] of this.#turned) put(asked, KNOBS[name].path, value);
    return asked;
  }

  #turn(name) {
    const value = Number(this.#part[name].value);
    if (value === this.#given(name)) this.#turned.delete(name);
    else this.#turned.set(name, value);
    this.#changed();
  }

  #reseed(seed) {
    if (!Number.isSafeInteger(seed) || seed < 0) return;
    this.#seed = seed;
    this.#changed();
  }

  #reset() {
    this.#turned.clear();
    this.#seed = 0;
    this.#part.preset.value = this.#first;
    this.#changed();
  }

  #changed() {
    this.#say();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.dispatchEvent(new Event("change")), SETTLE_MS);
  }

  /** The chosen preset's own value. */
  #given(name) {
    const preset = this.#presets.find((one) => one.name === this.#part.preset.value);
    return KNOBS[name].path.reduce((part, key) => part?.[key], preset?.settings) ?? 0;
  }

  #say() {
    const part = this.#part;
    const preset = this.#presets.find((one) => one.name === part.preset.value);
    part.about.textContent = preset ? [preset.description, preset.paper].filter(Boolean).join(" ") : "";
    for (const name of Object.keys(KNOBS)) {
      part[name].value = this.#turned.get(name) ?? this.#given(name);
      part[`${name}Value`].textContent = part[name].value;
    }
    if (document.activeElement !== part.seed) part.seed.value = this.#seed;
    const changed = [preset && title(preset.name), this.#seed && `seed ${this.#seed}`, this.#turned.size && "changed"];
    part.summary.textContent = changed.filter(Boolean).join(" · ");
    part.reset.hidden = Object.keys(this.settings).length === 0;
  }
}

function put(into, [first, ...rest], value) {
  if (!rest.length) into[first] = value;
  else put((into[first] ??= {}), rest, value);
}

/** "erhan2009" -> "Erhan 2009" */
const title = (name) =>
  NAMES[name] ?? name.charAt(0).toUpperCase() + name.slice(1).replace(/(?=\d{4}$)/, " ");

const NAMES = { maco: "MaCo" };
