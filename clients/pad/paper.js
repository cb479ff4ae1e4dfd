/** The canvas that is drawn on: pointers in, a smooth line out, sharp on every screen. */

import { SIDE } from "/pad/drawing.js";

const PEN = 62;

export class Paper {
  #canvas;
  #drawing;
  #pointer = null;
  #frame = 0;

  constructor(canvas, drawing) {
    this.#canvas = canvas;
    this.#drawing = drawing;
    drawing.addEventListener("change", () => this.repaint());
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.#listen();
  }

  repaint() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#paint();
    });
  }

  #listen() {
    const on = (name, act) => this.#canvas.addEventListener(name, act);
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      on(name, (event) => this.#up(event));
    }
    // Older iOS scrolls and magnifies on a drag although touch-action says otherwise.
    this.#canvas.addEventListener("touchstart", (event) => event.preventDefault(), {
      passive: false,
    });
  }

  #down(event) {
    if (this.#pointer !== null || event.button !== 0) return;
    event.preventDefault();
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointer = event.pointerId;
    this.#drawing.begin(this.#where(event));
  }

  #move(event) {
    if (event.pointerId !== this.#pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    this.#drawing.extend((all.length ? all : [event]).map((one) => this.#where(one)));
  }

  #up(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#drawing.end();
  }

  #where(event) {
    const box = this.#canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * SIDE;
    return [x, ((event.clientY - box.top) / box.height) * SIDE];
  }

  #resize() {
    const side = Math.round(this.#canvas.clientWidth * devicePixelRatio);
    if (!side || side === this.#canvas.width) return;
    this.#canvas.width = side;
    this.#canvas.height = side;
    this.#paint();
  }

  #paint() {
    const context = this.#canvas.getContext("2d");
    const side = this.#canvas.width;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, side, side);
    context.scale(side / SIDE, side / SIDE);
    if (this.#drawing.image) return picture(context, this.#drawing.image.bitmap);
    const ink = getComputedStyle(this.#canvas).color;
    Object.assign(context, { strokeStyle: ink, fillStyle: ink, lineWidth: PEN });
    Object.assign(context, { lineCap: "round", lineJoin: "round" });
    for (const stroke of this.#drawing.strokes) line(context, stroke);
  }
}

/** Curves through the middles of neighbouring points: smooth, and never off the pen's way. */
function line(context, points) {
  const [first, ...rest] = points;
  context.beginPath();
  context.moveTo(...first);
  if (!rest.length) context.lineTo(first[0] + 0.01, first[1]);
  rest.forEach(([x, y], i) => {
    const next = rest[i + 1];
    if (next) context.quadraticCurveTo(x, y, (x + next[0]) / 2, (y + next[1]) / 2);
    else context.lineTo(x, y);
  });
  context.stroke();
}

function picture(context, bitmap) {
  const scale = (0.92 * SIDE) / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.imageSmoothingEnabled = scale < 3;
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
}
