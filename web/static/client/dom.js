// @ts-check
/** What the page scripts share: elements, words, announcing, the connection line. */

import { icons, phrases } from "./view.js";

/** @typedef {Record<string, any>} Any */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Attributes that are null or false are left out; children are
 * nodes, strings, or lists of them.
 * @param {string} tag @param {Any|null} [attributes] @param {...any} children
 */
export function h(tag, attributes, ...children) {
  const el = tag === "svg" || tag === "path" || tag.startsWith("svg:")
    ? document.createElementNS(SVG, tag.replace("svg:", "")) : document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith("on")) el.addEventListener(k.slice(2), v);
    else el.setAttribute(k, v === true ? "" : String(v));
  }
  el.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return el;
}

/** @param {string} name @returns {any} */
export const icon = (name) => {
  const d = /** @type {Any} */ (icons)[name];
  return d ? h("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, h("path", { d })) : null;
};

/** @param {import("./view.js").Text} [text] nodes of a sentence */
export const nodes = (text) => (text || []).map((s) => {
  if (s.k === "money") return h("bdi", { class: "m" }, s.t);
  if (s.k === "time" || s.k === "day") return h("time", { datetime: s.at }, s.t);
  return s.k === "name" ? h("bdi", null, s.t) : s.t;
});

/** A line that names something: two lines of a very long name, and all of it when asked. @param {import("./view.js").Text} text */
export const named = (text) => [...plainText(text)].length > 90
  ? h("details", { class: "long" }, h("summary", null, h("span", { class: "clamp" }, nodes(text)))) : nodes(text);

const same = (/** @type {any} */ a, /** @type {any} */ b) => a && b && a.nodeType === b.nodeType && a.nodeName === b.nodeName
  && a.dataset?.key === b.dataset?.key && a.dataset?.kind === b.dataset?.kind;

/**
 * Makes a look like b with as few changes as possible: what is read, focused or
 * opened stays the same element. Attributes named in keep are the reader's own.
 * @param {any} a @param {any} b
 */
export function morph(a, b) {
  if (a.nodeType !== 1) { if (a.data !== b.data) a.data = b.data; return; }
  const keep = a.nodeName === "DETAILS" ? ["open"] : a.nodeName === "INPUT" ? ["value"] : [];
  if (a.id === "line" || a.id === "strip" || a.isEqualNode(b)) return;
  for (const { name, value } of [...b.attributes]) if (!keep.includes(name) && a.getAttribute(name) !== value) a.setAttribute(name, value);
  for (const { name } of [...a.attributes]) if (!keep.includes(name) && !b.hasAttribute(name)) a.removeAttribute(name);
  // A line break between tags is the template's; a space between words is not.
  const blank = (/** @type {any} */ n) => !(n.nodeType === 3 && !n.data.trim() && n.data.includes("\n") && n.parentNode.childElementCount);
  const wanted = [...b.childNodes].filter(blank), had = [...a.childNodes];
  for (const n of had) if (!blank(n) || n.nodeName === "NOSCRIPT" || n.nodeType === 8) n.remove();
  let at = a.firstChild;
  for (const w of wanted) {
    if (w.nodeName === "NOSCRIPT") continue;
    const key = w.dataset?.key;
    let match = at;
    if (key) match = [...a.children].find((c) => c.dataset?.key === key) || null;
    if (match && same(match, w)) {
      if (match !== at) a.insertBefore(match, at);
      else at = at.nextSibling;
      morph(match, w);
    } else {
      a.insertBefore(w, at);
      if (at && !key && !same(at, wanted[wanted.indexOf(w) + 1])) { const old = at; at = at.nextSibling; old.remove(); }
    }
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

/** The page's data, and what says it in the page's language. */
export async function start() {
  const state = JSON.parse(document.getElementById("state")?.textContent || "{}");
  const load = async (/** @type {string} */ lang) => (await fetch(new URL(`words.${lang}.json`, import.meta.url))).json();
  const words = await load(state.lang);
  return { state, phrases: () => phrases(words, { lang: state.lang, now: Date.now() }) };
}

/** Dates the page by the last word of the service, for print. @param {any} p @param {number} [heard] */
export function asOf(p, heard) {
  const sent = document.querySelector("#asof time")?.getAttribute("datetime"); // heard nothing: as of when it was made
  if (!heard && sent) heard = Date.parse(sent);
  if (heard) document.getElementById("asof")?.replaceChildren(...nodes(p.say("as_of", { at: { at: new Date(heard).toISOString() } })));
}

let spoken = 0, /** @type {any} */ speaking;
/** Says one sentence to assistive technology, at most one a second. @param {string} sentence */
export function say(sentence) {
  const region = document.getElementById("say");
  if (!region || !sentence) return;
  clearTimeout(speaking);
  speaking = setTimeout(() => {
    spoken = Date.now();
    region.textContent = sentence.length > 140 ? sentence.slice(0, 139) + "…" : sentence;
  }, Math.max(50, spoken + 1000 - Date.now()));
}

/** Puts focus on the heading when the focused control went away. */
export function keepFocus(/** @type {() => void} */ change) {
  const before = document.activeElement;
  change();
  if (before && before !== document.body && !before.isConnected) {
    /** @type {any} */ (document.querySelector("h1"))?.focus({ preventScroll: true });
  }
}

/**
 * Shows the state of the connection, quietly: a short break heals unseen.
 * @param {() => ReturnType<typeof phrases>} say_ what says it
 * @param {{undecided?: () => boolean, onDenied?: (state: string) => void}} [o]
 */
export function connection(say_, o = {}) {
  /** @type {any} */ let timer;
  /** @type {any} */ let longer;
  let shown = "", lost = false;
  /** @param {string} name @param {any} text @param {string} [shape] */
  function draw(name, text, shape = "done") {
    const line = document.getElementById("line");
    if (!line) return;
    shown = name;
    line.className = "line " + name;
    line.replaceChildren(...(text.length ? [icon(shape), h("span", null, nodes(text))] : []));
  }
  const at = (/** @type {number|undefined} */ ms) => ({ at: new Date(ms || Date.now()).toISOString() });
  return (/** @type {import("./tracker.js").State} */ s) => {
    const p = say_();
    clearTimeout(timer);
    if (s.state !== "retrying" && s.state !== "offline" && s.state !== "connecting") clearTimeout(longer), (longer = 0);
    const later = (/** @type {number} */ ms, /** @type {() => void} */ fn) => { timer = setTimeout(fn, shown === s.state ? 0 : ms); };
    switch (s.state) {
      case "live": draw("live", p.say("live"), "active"); break;
      case "polling": draw("polling", p.say("polling", { n: Math.round((s.every || 0) / 1000), at: at(s.heard) })); break;
      case "busy": draw("busy", p.say("busy", { at: at(s.retryAt) }), "warn"); break;
      case "closed": draw("closed", p.say("closed")); break;
      case "retrying": case "connecting":
        if (shown && shown !== "connecting") later(5000, () => draw("retrying", p.say("retrying", { at: at(s.heard) }), "warn"));
        longer ||= setTimeout(() => { if (o.undecided?.()) { lost = true; say(plainText(p.say("lost_money"))); } }, 30000);
        break;
      case "offline":
        later(1000, () => { draw("offline", p.say("offline", { at: at(s.heard) }), "warn"); if (!lost) say(plainText(p.say("offline", { at: at(s.heard) }))); lost = true; });
        break;
      case "denied": case "missing":
        draw(s.state, p.say(s.state === "denied" ? "c_no_access" : "missing"), "warn");
        o.onDenied?.(s.state);
        break;
    }
    if (lost && s.state === "live") { lost = false; say(plainText(p.say("back_online"))); }
  };
}

export const plainText = (/** @type {any[]} */ text) => text.map((s) => s.t).join("");

/** Offers to copy what cannot be typed easily. @param {string} value @param {Any} p */
export const copyButton = (value, p) => h("button", { type: "button", class: "quiet noprint", onclick: async (/** @type {any} */ e) => {
  await navigator.clipboard?.writeText(value);
  e.target.textContent = p.get("copied");
  say(p.get("copied"));
} }, p.get("copy"));

/**
 * Keeps what the page knows: the order's newest event, and its payments' where
 * only they can tell (refunds, next action).
 * @param {Any} state @param {() => void} changed
 */
export function keeper(state, changed) {
  const asked = /** @type {Any} */ ({});
  async function details(/** @type {string} */ id) {
    const known = state.payments[id], after = known?.payment.sequence || 0;
    if (asked[id]) return;
    asked[id] = true;
    try {
      const r = await fetch(`/v1/payments/${id}/events?after=${after}`, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(10000) });
      if (r.status === 200) payment((await r.json()).events);
    } catch { /* what the order knows of it is shown meanwhile */ } finally { asked[id] = false; changed(); }
  }
  /** @param {Any[]} events of one payment */
  function payment(events) {
    for (const e of events) {
      const known = (state.payments[e.subject] ??= { payment: e.data.payment, timeline: [] });
      if (e.seq >= (known.payment.sequence || 0)) known.payment = e.data.payment;
      if (!known.timeline.some((/** @type {Any} */ t) => t.seq === e.seq)) known.timeline.push(e.data.transition);
    }
    if (events.length) changed();
  }
  return {
    payment,
    asking: () => Object.values(asked).some(Boolean),
    /** @param {Any} e an event of the order */
    order(e) {
      state.order = e.data.order;
      state.closed = e.closed;
      if (!state.timeline.some((/** @type {Any} */ t) => t.seq === e.seq)) state.timeline.push(e.data.transition);
      changed();
      for (const p of state.order.payments) {
        const known = state.payments[p.id]?.payment;
        if (!known || known.status !== p.status || known.refunded !== p.refunded || known.refund_pending !== p.refund_pending) details(p.id);
      }
    },
    reset() { state.timeline = []; },
  };
}
