// @ts-check
/** Keeps what an error page says: it asks again when it said it would, and
 *  disturbs its reader only when the page is there. */

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const time = main.querySelector("time");
const page = location.pathname + location.search;

/** @param {number} seconds */
function again(seconds) {
  const at = new Date(Date.now() + seconds * 1000);
  if (time) {
    time.dateTime = at.toISOString();
    time.textContent = at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  }
  setTimeout(ask, seconds * 1000);
}

async function ask() {
  try {
    const r = await fetch(page, { method: "HEAD", cache: "no-store", headers: { Accept: "text/html" } });
    if (r.ok) location.replace(page);
    else again(Math.max(5, Number(r.headers.get("Retry-After")) || 30));
  } catch { again(30); }
}

again(Number(main.dataset.retry));
