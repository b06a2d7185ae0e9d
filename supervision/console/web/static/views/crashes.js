/**
 * The latest crashes, newest first.
 */
import { setLink } from "../dom.js";
import * as format from "../format.js";
import { href } from "../router.js";
import { column, Table } from "../table.js";

/** The server does not sort crashes. */
const FIXED = { sorts: false };

export class CrashesView {
  element;
  title = "Crashes";

  #context;
  #known = -1;
  #table = new Table({
    caption: "Crashes",
    empty: "Nothing has crashed.",
    keyOf: ({ number }) => String(number),
    isLink: true,
    columns: [
      column("number", "No.", ({ number }) => String(number), { ...FIXED, number: true }),
      { name: "label", label: "Actor", ...FIXED, show: ({ number, label }, cell) => setLink(cell, href(["crashes", String(number)]), label) },
      column("reason", "Reason", (crash) => format.why(crash), { ...FIXED, wide: true }),
      column("kind", "Kind", ({ kind }) => kind, { ...FIXED }),
      column("at", "When", ({ at }) => format.moment(at), { ...FIXED, number: true }),
      column("ago", "", ({ at }) => format.ago(at, this.#context.overview?.at), { ...FIXED, number: true }),
    ],
  });

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.element = this.#table.element;
  }

  async refresh() {
    const { total, crashes } = await this.#context.api.get("crashes");
    this.#known = total;
    this.#table.show(crashes, crashes.length);
  }

  changed({ type, overview }) {
    if (type === "live" && overview.crashes !== this.#known) this.#context.hurry();
  }
}
