/**
 * Pure. Formats numbers for display: few digits, and always a unit.
 */

const INTEGER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const DIGITS = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];
const UNKNOWN = "–";

/** @param {number | null} value */
export function count(value) {
  return value === null ? UNKNOWN : INTEGER.format(value);
}

/** @param {any} value of an application's page @returns {boolean} whether it is a number with a unit or a severity */
export function isQuantity(value) {
  return typeof value === "object" && value !== null && "amount" in value;
}

/** Number -> the thresholds of a warning, and of "bad". */
const LEVELS = { loop_lag: [0.05, 0.25], cpu: [0.8, 0.95], share: [0.8, 0.95] };

/**
 * Return the severity of a number.
 * @param {keyof typeof LEVELS} name
 * @param {number | null} value
 * @returns {"" | "warning" | "bad"}
 */
export function level(name, value) {
  const [warning, bad] = LEVELS[name];
  return value === null || value < warning ? "" : value < bad ? "warning" : "bad";
}

/** @param {string} name of a value @returns {string} the name as a title */
export function title(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** @param {number | null} value per second */
export function rate(value) {
  if (value === null) return UNKNOWN;
  return value >= 10_000 ? SHORT.format(value) : value < 10 && value > 0 ? DIGITS.format(value) : INTEGER.format(value);
}

/** @param {number | null} value bytes */
export function bytes(value) {
  if (value === null) return UNKNOWN;
  const power = value < 1024 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(value) / 10));
  return `${DIGITS.format(value / 1024 ** power)} ${SIZES[power]}`;
}

/** @param {number | null} value from 0 to 1 */
export function percent(value) {
  if (value === null) return UNKNOWN;
  return `${value !== 0 && value < 0.1 ? DIGITS.format(Math.round(value * 1000) / 10) : INTEGER.format(value * 100)} %`;
}

/** @param {number | null} value seconds */
export function seconds(value) {
  if (value === null) return UNKNOWN;
  if (value === 0) return "0 s";
  if (value < 1e-3) return `${DIGITS.format(value * 1e6)} µs`;
  if (value < 1) return `${DIGITS.format(value * 1e3)} ms`;
  if (value < 60) return `${value < 10 ? DIGITS.format(value) : INTEGER.format(value)} s`;
  const [whole, rest] = value < 3600 ? [60, "s"] : value < 86_400 ? [3600, "min"] : [86_400, "h"];
  const small = { s: 1, min: 60, h: 3600 }[rest];
  const large = { s: "min", min: "h", h: "d" }[rest];
  return `${Math.floor(value / whole)} ${large} ${Math.floor((value % whole) / small)} ${rest}`;
}

/** @param {number} at seconds since 1970 */
export function time(at) {
  return CLOCK.format(at * 1000);
}

/** @param {number} at seconds since 1970 @param {number} now */
export function moment(at, now = Date.now() / 1000) {
  return Math.abs(now - at) < 12 * 3600 ? time(at) : `${DAY.format(at * 1000)} ${time(at)}`;
}

/** @param {number} at seconds since 1970 @param {number} now */
export function ago(at, now = Date.now() / 1000) {
  return now - at < 1 ? "just now" : `${seconds(Math.floor(now - at))} ago`;
}

/** @param {number} number @param {string} noun @param {string} [many] */
export function plural(number, noun, many = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : many}`;
}

/** @param {{reason: string, asked_by: string | null}} crash */
export function why({ reason, asked_by }) {
  return asked_by === null ? reason : `${reason}: requested by ${asked_by}`;
}

/** @param {number} used @param {number} limit @param {string} unit */
export function usage(used, limit, unit) {
  const text = UNITS[unit] ?? count;
  return `${text(used)} of ${text(limit)}`;
}

/** Unit of a quantity -> its format. */
const UNITS = { bytes, seconds, moment: (at) => moment(at) };

/** @param {any} value of any type, of an application's page */
export function anything(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (isQuantity(value)) return (UNITS[value.unit] ?? anything)(value.amount);
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : DIGITS.format(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "string" ? value : JSON.stringify(value);
}
