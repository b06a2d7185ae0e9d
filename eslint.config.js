import { createRequire } from "node:module";

// `make .venv/node` installs these there, not beside this file.
const require = createRequire(new URL(".venv/node/", import.meta.url));
const js = require("@eslint/js");
const globals = require("globals");

export default [
  { ignores: [".venv/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  { files: ["**/static/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tests/**/*.mjs"], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
  { files: ["**/*.cjs"], languageOptions: { globals: globals.node } },
];
