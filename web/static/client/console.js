// @ts-check
/** Keeps the console's rows fresh, opens actions as dialogs, and listens to a few keys. Works without it. */

import { connection, h, morph, say } from "./dom.js";
import { phrases as make } from "./view.js";
import { watch } from "./tracker.js";

const words = await (await fetch(new URL("words.en.json", import.meta.url))).json();
const phrases = () => make(words, { lang: "en", now: Date.now() });
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const line = connection(phrases);
const order = main.dataset.order;
let paused = false, /** @type {Set<string>} */ missed = new Set(), fresh = new Set(), told = 0;

/** @param {string} html */
const parse = (html) => new DOMParser().parseFromString(html, "text/html");
/** @param {string} url */
async function page(url) {
  const r = await fetch(url, { headers: { Accept: "text/html" } });
  if (r.status === 401) signedOut();
  if (!r.ok) throw new Error(String(r.status));
  return parse(await r.text());
}

// --- rows
/** What somebody looks at, points to or has opened stays as it is. @param {Element} row */
const inUse = (row) => row.contains(document.activeElement) && document.activeElement !== document.body || row.matches(":active");
const view = new URLSearchParams(location.search).get("view") || "all";
/** @type {Record<string, (row: Element) => boolean>} */
const fits = {
  all: () => true,
  needs: (row) => /\byou: /.test(row.textContent || ""),
  bank: (row) => /\bbank: /.test(row.textContent || ""),
  ship: (row) => /: ship\b/.test(row.textContent || ""),
  problems: (row) => /: (review|release|look)\b/.test(row.textContent || ""),
};

const asking = /** @type {Map<string, any>} */ (new Map()), turns = /** @type {Record<string, number>} */ ({});
/** @param {string} id */
function refresh(id) {
  if (asking.has(id)) return;
  asking.set(id, setTimeout(async () => {
    asking.delete(id); // what happens from now on asks again
    const mine = (turns[id] = (turns[id] || 0) + 1);
    try {
      const doc = await page("/console/rows/" + id);
      if (turns[id] !== mine) return;
      for (const [list, tag] of [["rows", "tr"], ["cards", "li"]]) {
        const old = document.querySelector(`#${list} [data-id="${id}"]`), now = doc.querySelector(`${tag}[data-id="${id}"]`);
        if (!old || !now) continue;
        if (old.textContent === now.textContent) continue; // told again, not changed
        if (inUse(old)) { setTimeout(() => refresh(id), 2000); continue; }
        morph(old, now);
        old.classList.remove("changed");
        void /** @type {HTMLElement} */ (old).offsetWidth;
        old.classList.add("changed");
        old.classList.toggle("left", !(fits[view] || fits.all)(old));
      }
    } catch { /* the next event asks again */ }
  }, 200 + Math.random() * 300));
}
function showFresh() {
  const n = fresh.size, place = document.getElementById("fresh");
  if (!n || !place) return;
  place.replaceChildren(h("a", { class: "btn small-btn", href: location.href, id: "new" }, `${n} new order${n === 1 ? "" : "s"}: show`));
  if (Date.now() - told > 30000) { told = Date.now(); say(`${n} new order${n === 1 ? "" : "s"}`); }
}
// The feed begins with what the page shows already; what was being written while
// the page was made is not in it yet.
const made = Date.parse(document.querySelector("#line time")?.getAttribute("datetime") || "") - 10000;
/** @param {any} e an event of any order or payment */
function event(e) {
  if (Date.parse(e.time) < made) return;
  const id = e.type.startsWith("payment.") ? e.data.payment?.order_id : e.subject;
  if (paused) { missed.add(id); return; }
  if (order) { if (id === order) desk(); return; }
  if (document.querySelector(`[data-id="${id}"]`)) refresh(id);
  else if (e.type === "order.created" && main.dataset.newest === "true") { fresh.add(id); showFresh(); }
  counters();
}

let counting = /** @type {any} */ (0);
function counters() {
  if (order) return;
  counting ||= setTimeout(async () => {
    counting = 0;
    const place = document.getElementById("figures");
    try {
      const doc = await page("/console/counters");
      if (!place) return;
      place.replaceChildren(...doc.body.childNodes);
      for (const a of document.querySelectorAll("[data-view]")) {
        const n = place.querySelector(`[data-count="${/** @type {HTMLElement} */ (a).dataset.view}"]`)?.textContent, at = a.querySelector(".num");
        if (at && n) at.textContent = n;
      }
    } catch { /* shown as they were */ }
  }, 1500);
}
setInterval(() => { if (!document.hidden && !paused) counters(); }, 10000);

let drawing = /** @type {any} */ (0);
/** The order's own page: drawn again by the server, changed where it differs. */
function desk() {
  drawing ||= setTimeout(async () => {
    drawing = 0;
    try {
      const next = (await page(location.pathname)).getElementById("desk"), now = document.getElementById("desk");
      if (next && now) morph(now, next);
    } catch { /* the next event asks again */ }
  }, 250);
}

watch("/v1/events", { opaque: true, onEvent: event, onState: (s) => { line(s); if (s.state === "denied") signedOut(); } });

const pause = document.getElementById("pause");
if (pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    main.dataset.state = paused ? "paused" : "live";
    say(paused ? "Paused" : "Live again");
    if (!paused) { for (const id of missed) if (document.querySelector(`[data-id="${id}"]`)) refresh(id); missed = new Set(); counters(); }
  });
}

// --- dialogs
/** @param {Node[]} content @param {string} label */
function dialog(content, label) {
  const d = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-label": label }, content));
  document.body.append(d);
  d.addEventListener("close", () => d.remove());
  d.addEventListener("click", (e) => {
    const at = /** @type {HTMLElement} */ (e.target);
    if (at.closest("[data-close]")) { e.preventDefault(); d.close(); }
  });
  d.showModal();
  return d;
}
document.addEventListener("click", async (e) => {
  const a = /** @type {HTMLAnchorElement|null} */ (/** @type {HTMLElement} */ (e.target).closest("a[data-dialog]"));
  if (!a || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  try {
    const box = (await page(a.href)).getElementById("confirm");
    if (!box) throw new Error("no form");
    const d = dialog([box], a.textContent || "");
    d.addEventListener("submit", act);
  } catch { location.assign(a.href); }
});
/** Sends the form; a refusal is shown in the dialog, with what was typed. @param {SubmitEvent} e */
async function act(e) {
  e.preventDefault();
  const form = /** @type {HTMLFormElement} */ (e.target), d = form.closest("dialog"), button = form.querySelector("button");
  if (button?.getAttribute("aria-disabled")) return;
  button?.setAttribute("aria-disabled", "true");
  try {
    const r = await fetch(form.action, { method: "POST", body: new URLSearchParams(/** @type {any} */ (new FormData(form))), headers: { Accept: "text/html" } });
    if (r.status === 401) return signedOut();
    if (r.redirected || r.ok) { d?.close(); say("Done"); return order ? desk() : location.assign(r.url); }
    const box = parse(await r.text()).getElementById("confirm");
    if (box) form.closest("#confirm")?.replaceWith(box);
  } catch {
    button?.removeAttribute("aria-disabled");
    form.prepend(h("p", { class: "notice bad", role: "alert" }, "The connection broke before we had an answer. Press again: it is done once."));
  }
}
let out = false;
function signedOut() {
  if (out) return;
  out = true;
  main.dataset.state = "signed_out";
  dialog([h("h1", null, "Your session is over"), h("p", null, "What you see stays. Log in again in this tab to go on."),
    h("p", { class: "actions" }, h("a", { class: "btn primary", href: location.href }, "Log in"), h("button", { type: "button", class: "btn", "data-close": "" }, "Stay here"))], "Signed out");
}

// --- keys, only while focus is in the list and not in a field
let single = localStorage.getItem("tracker-keys") !== "off";
const links = () => /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#rows .open, #cards .open")].filter((a) => /** @type {HTMLElement} */ (a).offsetParent));
document.addEventListener("keydown", (e) => {
  const at = /** @type {HTMLElement} */ (document.activeElement);
  if (e.ctrlKey || e.metaKey || e.altKey || at?.matches("input,select,textarea") || at?.closest("dialog") || !at?.closest("#rows,#cards") && at !== document.body) return;
  if (e.key === "?") { e.preventDefault(); help(); return; }
  if (!single) return;
  const all = links(), i = all.indexOf(at);
  if (e.key === "j" || e.key === "k") { e.preventDefault(); all[Math.max(0, Math.min(all.length - 1, i + (e.key === "j" ? 1 : -1)))]?.focus(); }
  if (e.key === "/") { e.preventDefault(); document.getElementById("q")?.focus(); }
  if (e.key === "n") document.getElementById("new")?.click();
  if (e.key === "p") pause?.click();
});
const keys = document.getElementById("keys");
if (keys) { keys.hidden = false; keys.addEventListener("click", help); }
function help() {
  const row = (/** @type {string} */ k, /** @type {string} */ what) => h("li", null, h("kbd", null, k), " " + what);
  const toggle = /** @type {HTMLInputElement} */ (h("input", { type: "checkbox", checked: single, onchange: () => { single = toggle.checked; localStorage.setItem("tracker-keys", single ? "on" : "off"); } }));
  dialog([h("h1", null, "Keyboard shortcuts"), h("ul", null, row("/", "search"), row("j k", "next, previous row"), row("Enter", "open"), row("Esc", "close"), row("n", "show new orders"), row("p", "pause"), row("?", "this list")),
    h("p", null, h("label", null, toggle, " Single keys on")), h("p", { class: "actions" }, h("button", { type: "button", class: "btn", "data-close": "" }, "Close"))], "Keyboard shortcuts");
}
