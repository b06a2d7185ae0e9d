/**
 * Actors to crash, so that the user sees them restart.
 */
import { h, reconcile, setLink, setText } from "../dom.js";
import { count } from "../format.js";
import { Fresh } from "../fresh.js";
import { href, toActor } from "../router.js";

/** Maximum number of actors in the list. */
const OFFERED = 5;

export class TryCard {
  element;

  #context;
  #list = h("ul");
  /** The children of the top supervisor that are not supervisors. @type {any[]} */
  #actors = [];
  #fresh = new Fresh();

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    const mayCrash = context.actions.may("exit");
    const about = mayCrash
      ? "Its supervisor restarts it, and no client is disconnected."
      : "Crashing an actor requires the role administer.";
    this.element = h(
      "section",
      { className: "card panel", dataset: { testid: "try-card" } },
      h("h3", null, mayCrash ? "Crash an actor and see it restart" : "Restarted actors"),
      h("p", { className: "soft" }, about),
      this.#list,
      h("footer", null, h("a", { href: href(["tree"]) }, "The whole tree")),
    );
  }

  async refresh() {
    const top = await this.#context.api.get("tree", { depth: 1, limit: 50 });
    this.#actors = top.children.filter(({ count }) => count === 0).slice(0, OFFERED);
    this.#render();
  }

  changed({ restarted }) {
    this.#fresh.add(restarted, performance.now());
    if (restarted.length) this.#context.hurry();
    else this.#render();
  }

  #render() {
    const actors = [...this.#actors].sort((one, other) => one.label.localeCompare(other.label));
    reconcile(this.#list, actors, ({ label }) => label, (actor) => this.#row(actor.label), (row, { ref, label, restarts }) => {
      const isFresh = this.#fresh.shows(ref, performance.now());
      row.classList.toggle("fresh", isFresh);
      setLink(row.children[0], toActor(ref), label);
      setText(row.children[1], `${isFresh ? "came back as " : ""}${ref}${restarts ? `, ↻ ${count(restarts)}` : ""}`);
    });
  }

  #row(label) {
    const actor = () => this.#actors.find((each) => each.label === label);
    const crash = this.#context.actions.button("crash", actor);
    return h("li", { className: "row" }, h("span", { className: "label" }), h("span", { className: "soft" }), crash);
  }
}
