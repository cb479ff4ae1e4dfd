/**
 * What is on the paper, and how it came there: strokes of a pen, or one image. No pixels here.
 *
 *   coordinates: 0..SIDE, x to the right, y down, whatever the size of the canvas
 *   event:       "change" whenever it looks different, and when the pen is lifted
 */

export const SIDE = 1000;

/** Points nearer than this to the last one say nothing new. */
const NEAR = 2.5;

const BLANK = Object.freeze({ strokes: [], image: null });

export class Drawing extends EventTarget {
  #states = [BLANK];
  #at = 0;
  #pen = null;

  get empty() {
    return !this.image && this.strokes.length === 0;
  }

  get image() {
    return this.#pen ? null : this.#state.image;
  }

  get strokes() {
    if (!this.#pen) return this.#state.strokes;
    return [...(this.#state.image ? [] : this.#state.strokes), this.#pen];
  }

  get drawing() {
    return this.#pen !== null;
  }

  get canUndo() {
    return this.#at > 0;
  }

  begin(point) {
    this.#pen = [round(point)];
    this.#tell();
  }

  extend(points) {
    if (!this.#pen) return;
    const before = this.#pen.length;
    for (const point of points.map(round)) {
      const [x, y] = this.#pen.at(-1);
      if (Math.hypot(point[0] - x, point[1] - y) >= NEAR) this.#pen.push(point);
    }
    if (this.#pen.length > before) this.#tell();
  }

  end() {
    if (!this.#pen) return;
    const strokes = this.strokes;
    this.#pen = null;
    this.#push({ strokes, image: null });
  }

  /** @param {{file: File, bitmap: ImageBitmap}} image */
  show(image) {
    this.#push({ strokes: [], image });
  }

  /** Clearing is a step like any other, so it can be undone. */
  clear() {
    this.#pen = null;
    if (!this.empty) this.#push(BLANK);
  }

  undo() {
    this.#move(-1);
  }

  redo() {
    this.#move(1);
  }

  get #state() {
    return this.#states[this.#at];
  }

  #push(state) {
    this.#states = [...this.#states.slice(0, this.#at + 1), state];
    this.#at += 1;
    this.#tell();
  }

  #move(by) {
    if (this.#pen || !this.#states[this.#at + by]) return;
    this.#at += by;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event("change"));
  }
}

const round = ([x, y]) => [Math.round(x * 10) / 10, Math.round(y * 10) / 10];
