/**
 * Runs before the modules, which may not all come from a server that is full: then it says so, and loads the page again.
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
