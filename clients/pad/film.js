/**
 * The way to a picture, frame beside frame: it fills while the picture is drawn, and can be gone
 * through afterwards, with the mouse, a finger or the arrow keys.
 *
 *   const film = new Film({box, canvas, range, play}, show)
 *   film.clear()
 *   film.add(step, steps, image)     a frame that has just come; `image` can be drawn
 *   film.load(address, steps)        all of them, from one picture; `steps` names each
 *   film.rest()                      on the last frame
 *
 *   show(canvas, step)     called with a frame as it is chosen, null on the last one
 */

const FRAME_MS = 90;
const REST_MS = 1100;

/** While it is drawn nobody knows how many frames will come; this many have room. */
const LIVE = 25;

export class Film {
  #part;
  #show;
  #frames = [];
  #steps = [];
  #playing = 0;
  #turn = 0;

  constructor(part, show) {
    this.#part = part;
    this.#show = show;
    part.range.addEventListener("input", () => (this.#pause(), this.#choose()));
    part.play.addEventListener("click", () => (this.#playing ? this.#pause() : this.#start()));
  }

  clear() {
    this.#turn += 1;
    this.#pause();
    this.#frames = [];
    this.#steps = [];
    this.#part.box.classList.add("empty");
    this.#part.box.style.setProperty("--frames", LIVE);
    this.#part.range.disabled = true;
    this.#part.play.disabled = true;
    const { canvas } = this.#part;
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
  }

  add(step, steps, image) {
    const at = Math.min(LIVE - 1, Math.floor((step / Math.max(1, steps)) * LIVE));
    const { canvas } = this.#part;
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    if (canvas.width !== width * LIVE) Object.assign(canvas, { width: width * LIVE, height });
    canvas.getContext("2d").drawImage(image, at * width, 0);
    this.#part.box.classList.remove("empty");
  }

  async load(address, steps) {
    const mine = (this.#turn += 1);
    const sheet = new Image();
    sheet.src = address;
    const there = await sheet.decode().then(() => true, () => false);
    if (!there || mine !== this.#turn) return;
    this.#steps = steps;
    this.#cut(sheet, steps.length);
    const { box, range, play } = this.#part;
    box.classList.remove("empty");
    box.style.setProperty("--frames", steps.length);
    range.max = steps.length - 1;
    range.disabled = false;
    play.disabled = false;
    this.rest();
  }

  rest() {
    this.#pause();
    this.#part.range.value = this.#frames.length - 1;
    this.#choose();
  }

  #cut(sheet, count) {
    const [width, height] = [sheet.naturalWidth / count, sheet.naturalHeight];
    const { canvas } = this.#part;
    Object.assign(canvas, { width: sheet.naturalWidth, height });
    canvas.getContext("2d").drawImage(sheet, 0, 0);
    this.#frames = Array.from({ length: count }, (_, i) => {
      const frame = new OffscreenCanvas(width, height);
      frame.getContext("2d").drawImage(sheet, -i * width, 0);
      return frame;
    });
  }

  #choose() {
    const { range } = this.#part;
    const [at, last] = [Number(range.value), this.#frames.length - 1];
    if (last < 0) return;
    const step = this.#steps[at];
    range.setAttribute("aria-valuetext", at === last ? "the picture" : `step ${step}`);
    this.#show(at === last ? null : this.#frames[at], step);
  }

  #start() {
    const { range, play } = this.#part;
    play.setAttribute("aria-pressed", "true");
    const next = () => {
      const last = this.#frames.length - 1;
      range.value = Number(range.value) >= last ? 0 : Number(range.value) + 1;
      this.#choose();
      this.#playing = setTimeout(next, Number(range.value) >= last ? REST_MS : FRAME_MS);
    };
    next();
  }

  #pause() {
    clearTimeout(this.#playing);
    this.#playing = 0;
    this.#part.play.setAttribute("aria-pressed", "false");
  }
}
