/**
 * After the login one comes to where one wanted to go: a redirect keeps the hash of what was asked for.
 */
const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
form.addEventListener("submit", () => (form.action = `login${location.hash}`));
