/**
 * Short messages that disappear by themselves. A message that is already shown is not shown twice.
 */

const STAY = 4500;
const MAX_TOASTS = 3;

/** @typedef {{element: HTMLElement, timer: number, count: number}} Toast timer: 0 if it stays */

export class Toasts {
  #shelf;
  #setText;
  /** @type {Map<string, Toast>} */
  #shown = new Map();

  /**
   * @param {HTMLElement} shelf a live region
   * @param {(element: HTMLElement, text: string) => void} [setText] how a text is shown
   */
  constructor(shelf, setText = setPlainText) {
    this.#shelf = shelf;
    this.#setText = setText;
  }

  /**
   * @param {string} text
   * @param {"note" | "warning"} [kind]
   */
  say(text, kind = "note") {
    this.#put(text, text, kind);
  }

  /**
   * Show a running count of something since this toast appeared.
   * @param {string} key what is counted
   * @param {number} more
   * @param {(count: number) => string} words
   */
  tally(key, more, words) {
    const count = (this.#shown.get(key)?.count ?? 0) + more;
    this.#put(key, words(count), "warning").count = count;
  }

  /**
   * Show a message that stays until it is `dismiss`ed.
   * @param {string} key
   * @param {string} text
   */
  pin(key, text) {
    const toast = this.#put(key, text, "warning");
    clearTimeout(toast.timer);
    toast.timer = 0;
  }

  /** @param {string} key */
  dismiss(key) {
    this.#remove(key);
  }

  #put(key, text, kind) {
    const toast = this.#shown.get(key) ?? this.#add(key, kind);
    this.#setText(toast.element, text);
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => this.#remove(key), STAY);
    if (this.#shown.size > MAX_TOASTS) this.#makeRoom();
    return toast;
  }

  #add(key, kind) {
    const element = document.createElement("div");
    element.className = `toast ${kind}`;
    element.addEventListener("click", () => this.#remove(key));
    this.#shelf.append(element);
    const toast = { element, timer: 0, count: 0 };
    this.#shown.set(key, toast);
    return toast;
  }

  /** Remove the oldest toast that is not pinned. */
  #makeRoom() {
    for (const [key, { timer }] of this.#shown) {
      if (timer !== 0) return this.#remove(key);
    }
  }

  #remove(key) {
    const toast = this.#shown.get(key);
    if (!toast) return;
    clearTimeout(toast.timer);
    this.#shown.delete(key);
    toast.element.classList.add("leaving");
    setTimeout(() => toast.element.remove(), 200);
  }
}

/** What is read aloud already is not read again. */
function setPlainText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
