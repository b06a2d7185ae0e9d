/**
 * After the login one comes to where one wanted to go: a redirect keeps the hash of what was asked for.
 * A link that logs in once has its code behind the hash, which leaves the address before it is sent.
 */
const CODE = "#code=";
const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
form.addEventListener("submit", () => (form.action = `login${location.hash}`));
if (location.hash.startsWith(CODE)) {
  form.token.value = location.hash.slice(CODE.length);
  history.replaceState(null, "", "login");
  form.requestSubmit();
}
