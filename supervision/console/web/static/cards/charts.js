/**
 * Line charts of the last hour; the last point of each is the current value.
 */
import { Chart } from "../chart.js";
import { h } from "../dom.js";
import * as format from "../format.js";

const HOUR = 3600;
const MIB = 1024 ** 2;
/** @type {[string, string, (value: number) => string, number][]} label, attribute of a sample, format, minimum top of the axis */
const LINES = [
  ["Messages/s", "messages_per_second", format.rate, 10],
  ["Connections", "connections", format.count, 5],
  ["Actors", "actors", format.count, 5],
  ["Loop lag", "loop_lag", format.seconds, 0.005],
  ["Processor", "cpu", format.percent, 0.1],
  ["Memory", "memory", format.bytes, 64 * MIB],
  ["Messages waiting", "waiting", format.count, 5],
  ["Restarts", "restarts", format.count, 1],
];

export class ChartsCard {
  element;

  #context;
  #charts = LINES.map(([label, , format, least]) => new Chart(label, format, least));
  /** Samples of the server, oldest first. @type {any[]} */
  #samples = [];
  #interval = 5;
  /** @type {any} */
  #now = null;

  /** @param {import("../app.js").Context} context */
  constructor(context) {
    this.#context = context;
    this.element = h("div", { className: "charts", "aria-label": "The last hour", role: "group" }, ...this.#charts.map(({ element }) => element));
  }

  /** Fetch the samples once; afterwards the live updates extend them, unless there was a gap. */
  async refresh() {
    const last = this.#samples.at(-1);
    if (last && this.#now && this.#now.at - last.at < 3 * this.#interval) return;
    const { interval, samples } = await this.#context.api.get("history");
    this.#interval = interval;
    this.#samples = samples;
    this.#render();
  }

  show(overview) {
    this.#now = overview;
    const last = this.#samples.at(-1);
    if (last && overview.at - last.at >= this.#interval) this.#samples.push(overview);
    if (this.#samples[0]?.at < overview.at - HOUR) this.#samples.shift();
    this.#render();
  }

  #render() {
    const points = this.#now ? [...this.#samples.filter(({ at }) => at < this.#now.at), this.#now] : this.#samples;
    this.#charts.forEach((chart, index) => {
      const name = LINES[index][1];
      chart.show(points.filter((point) => point[name] !== null).map((point) => ({ at: point.at, value: point[name] })));
    });
  }
}
