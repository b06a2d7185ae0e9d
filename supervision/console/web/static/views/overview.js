/**
 * The system at a glance: its numbers, charts and limits, the longest mailboxes, the last crash, and an actor to crash.
 */
import { ChartsCard } from "../cards/charts.js";
import { LastCrashCard } from "../cards/last_crash.js";
import { LimitsCard } from "../cards/limits.js";
import { MailboxCard } from "../cards/mailbox.js";
import { ServerCard } from "../cards/server.js";
import { TryCard } from "../cards/try.js";
import { h, setText } from "../dom.js";
import * as format from "../format.js";
import { href } from "../router.js";

/**
 * Title -> text, and the address of the view with details.
 * @type {Record<string, [(overview: any) => string, string]>}
 */
const NUMBERS = {
  Connections: [({ connections }) => format.count(connections), href(["connections"])],
  Actors: [({ actors }) => format.count(actors), href(["tree"])],
  "Messages/s": [(now) => format.rate(now.messages_per_second), href(["actors"], { sort: "recent", order: "desc" })],
  "Loop lag": [({ loop_lag }) => format.seconds(loop_lag), href(["actors"], { sort: "recently_used", order: "desc" })],
  Processor: [({ cpu }) => format.percent(cpu), href(["actors"], { sort: "recently_used", order: "desc" })],
  Memory: [({ memory }) => format.bytes(memory), href(["actors"], { sort: "memory", order: "desc" })],
  Restarts: [({ restarts }) => format.count(restarts), href(["tree"], { only: "restarted" })],
  Crashes: [({ crashes }) => format.count(crashes), href(["crashes"])],
};

/** Title -> attribute of the numbers that are coloured from a threshold on. */
const WATCHED = /** @type {const} */ ({ "Loop lag": "loop_lag", Processor: "cpu" });

export class OverviewView {
  element;
  title = "Overview";

  #context;
  #numbers = new Map(Object.keys(NUMBERS).map((title) => [title, h("strong")]));
  #cards;

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    const questions = [new MailboxCard(context), new LastCrashCard(context), new TryCard(context)];
    const charts = new ChartsCard(context);
    const rest = [new LimitsCard(), new ServerCard(context)];
    this.#cards = [...questions, charts, ...rest];
    this.element = h(
      "div",
      { className: "stack" },
      h("h2", null, "Overview"),
      h("div", { className: "numbers panel" }, ...[...this.#numbers].map(number)),
      h("div", { className: "cards" }, ...questions.map(({ element }) => element)),
      charts.element,
      h("div", { className: "pair" }, ...rest.map(({ element }) => element)),
    );
  }

  async refresh() {
    await Promise.all([this.#fetchFirst(), ...this.#cards.map((card) => card.refresh?.())]);
  }

  changed(message) {
    if (message.type !== "live") return;
    this.#show(message.overview);
    for (const card of this.#cards) card.changed?.(message);
  }

  /** Fetch the overview, unless the WebSocket has already sent one. */
  async #fetchFirst() {
    if (!this.#context.overview) this.#show(await this.#context.api.get("overview"));
  }

  #show(overview) {
    for (const [title, element] of this.#numbers) {
      setText(element, NUMBERS[title][0](overview));
      element.dataset.level = title in WATCHED ? format.level(WATCHED[title], overview[WATCHED[title]]) : "";
    }
    for (const card of this.#cards) card.show?.(overview);
  }
}

function number([title, value]) {
  return h("a", { href: NUMBERS[title][1] }, h("span", { className: "soft" }, title), value);
}
