/**
 * After the login the browser returns to the requested view, since a redirect keeps the fragment of the form's action.
 * A link that logs in once has its code in the fragment; the code is removed from the address before it is sent.
 */
const CODE = "#code=";
const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
form.addEventListener("submit", () => (form.action = `login${location.hash}`));
if (location.hash.startsWith(CODE)) {
  form.token.value = location.hash.slice(CODE.length);
  history.replaceState(null, "", "login");
  form.requestSubmit();
}
