/**
 * The canvas as a picture, for who may not connect: to be looked at, and nothing else.
 */

const PICTURE = "/api/canvas.png?every=";
/** The server's coarsest step: tells how large the canvas is. */
const COARSE = 100;
/** Pixels of the longer side of the picture, at most. */
const SIDE = 2048;

export class Still {
  #image;

  /** @param {HTMLImageElement} image */
  constructor(image) {
    this.#image = image;
  }

  /** Show the canvas as it is now. */
  async show() {
    if (!this.#image.hidden) return;
    this.#image.hidden = false;
    try {
      await this.#load(COARSE);
      const { naturalWidth, naturalHeight } = this.#image;
      await this.#load(Math.ceil((Math.max(naturalWidth, naturalHeight) * COARSE) / SIDE));
    } catch {
      this.hide(); // the server is away, too
    }
  }

  hide() {
    this.#image.hidden = true;
    this.#image.removeAttribute("src");
  }

  #load(every) {
    this.#image.src = PICTURE + every;
    return this.#image.decode();
  }
}
