/**
 * Runs before the modules. A full server may not deliver all of them: then show that, and reload the page after a
 * while.
 */
(() => {
  const DELAY = 5000;
  let isWaiting = false;

  function say() {
    /** @type {Element} */ (document.querySelector(".status-label")).textContent = "The server is full, trying again";
  }

  function onerror({ target }) {
    if (isWaiting || !(target instanceof HTMLScriptElement || target instanceof HTMLLinkElement)) return;
    isWaiting = true;
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", say);
    else say();
    setTimeout(() => location.reload(), DELAY * (1 + Math.random()));
  }

  addEventListener("error", onerror, true); // such events do not bubble
})();
