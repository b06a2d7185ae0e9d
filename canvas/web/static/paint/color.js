/**
 * Packed colours, as the pixel buffer stores them. Pure.
 *
 * A packed colour is an opaque pixel of an RGBA buffer read as one little-endian 32-bit word: 0xFFBBGGRR.
 */

const cache = new Map();
const CACHE_LIMIT = 4096;

/**
 * Pack "#RRGGBB". Results are cached: few colours occur many times.
 * @param {string} text
 * @returns {number}
 */
export function pack(text) {
  let packed = cache.get(text);
  if (packed === undefined) {
    const rgb = parseInt(text.slice(1), 16);
    packed = (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >>> 16)) >>> 0;
    if (cache.size >= CACHE_LIMIT) cache.clear();
    cache.set(text, packed);
  }
  return packed;
}

/**
 * Write a packed colour as "#RRGGBB".
 * @param {number} packed
 * @returns {string}
 */
export function hex(packed) {
  const rgb = ((packed & 0xff) << 16) | (packed & 0xff00) | ((packed >>> 16) & 0xff);
  return "#" + rgb.toString(16).padStart(6, "0").toUpperCase();
}

/**
 * Whether a mark on this colour should be dark, by its relative luminance (WCAG 2).
 * @param {number} packed
 * @returns {boolean}
 */
export function isLight(packed) {
  const linear = (channel) => ((channel & 0xff) / 255) ** 2.2;
  return 0.2126 * linear(packed) + 0.7152 * linear(packed >>> 8) + 0.0722 * linear(packed >>> 16) > 0.35;
}

/**
 * The colour of a user: the same on every page, and equally bright for all users.
 * @param {string} userId
 * @returns {string} a CSS colour on which white text reads well
 */
export function userColor(userId) {
  let hash = 0x811c9dc5; // FNV-1a
  for (let i = 0; i < userId.length; i++) hash = Math.imul(hash ^ userId.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d); // so that similar ids get different colours
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return `oklch(0.56 0.17 ${((hash ^ (hash >>> 15)) >>> 0) % 360})`;
}

/** @type {[number, string][]} */
const HUES = [
  [15, "red"], [42, "orange"], [68, "yellow"], [160, "green"], [195, "turquoise"], [255, "blue"], [290, "purple"],
  [345, "pink"], [360, "red"],
];

/**
 * A colour in words, for screen readers: what most people would call it, not a distinct name for each.
 * @param {number} packed
 * @returns {string}
 */
export function describe(packed) {
  const [red, green, blue] = [packed, packed >>> 8, packed >>> 16].map((channel) => channel & 0xff);
  const [low, high] = [Math.min(red, green, blue), Math.max(red, green, blue)];
  const chroma = high - low;
  const lightness = (high + low) / 510;
  if (chroma < 24) return gray(lightness);
  const sextant =
    high === red ? (green - blue) / chroma : high === green ? 2 + (blue - red) / chroma : 4 + (red - green) / chroma;
  const hue = (sextant * 60 + 360) % 360;
  const name = /** @type {[number, string]} */ (HUES.find(([end]) => hue < end))[1];
  if (name === "orange" && lightness < 0.4) return lightness < 0.22 ? "dark brown" : "brown";
  if (name === "red" && lightness > 0.72) return "light pink";
  const shade = lightness < 0.3 ? "dark " : lightness > 0.72 ? "light " : "";
  return shade + name;
}

function gray(lightness) {
  if (lightness < 0.06) return "black";
  if (lightness > 0.97) return "white";
  return lightness < 0.35 ? "dark grey" : lightness > 0.7 ? "light grey" : "grey";
}
