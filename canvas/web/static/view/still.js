/**
 * A still picture of the canvas, for users who cannot connect.
 */

const PICTURE = "/api/canvas.png?every=";
/** The server's largest step; a picture of that step tells the size of the canvas. */
const COARSE = 100;
/** Maximum pixels on the longer side of the picture. */
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
      this.hide(); // the server is unreachable
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
