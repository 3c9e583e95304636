// @ts-check
/**
 * <order-status order="ord_…"> and <payment-status payment="pay_…">: the live
 * status in any page. What stands inside the tag is shown until there is
 * something to show, and again when there cannot be. Documented at /docs#elements.
 */

import { checkout } from "./checkoutview.js";
import { watch } from "./tracker.js";
import { describe, icons, phrases, plain } from "./view.js";

/** @typedef {Record<string, any>} Any */

const SVG = "http://www.w3.org/2000/svg";
const LANGUAGES = ["en", "de", "es", "hi", "ar"];
const HOME = new URL(".", import.meta.url);

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host{display:block;color-scheme:light dark;min-block-size:var(--tracker-min-height,auto);
--f:var(--tracker-font,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",sans-serif);
--t:var(--tracker-text,light-dark(#16191F,#ECEEF1));--m:var(--tracker-muted,light-dark(#4A515C,#B4BBC6));
--s:var(--tracker-surface,light-dark(#FFFFFF,#181C22));--l:var(--tracker-line,light-dark(#DCDDD8,#2E343D));
--e:var(--tracker-edge,light-dark(#7C838E,#7A8390));--a:var(--tracker-accent,light-dark(#1F4BC4,#9DB8FF));
--oa:var(--tracker-on-accent,light-dark(#FFFFFF,#0B1530));--ok:var(--tracker-ok,light-dark(#12693A,#7FD6A0));
--w:var(--tracker-warn,light-dark(#8A4B00,#F2BE6B));--b:var(--tracker-bad,light-dark(#B3261E,#FF9E93));
--r:var(--tracker-radius,16px);--g:var(--tracker-gap,.75rem)}
:host([hidden]){display:none}
*{box-sizing:border-box;margin:0;padding:0}
.card{font:400 1rem/1.5 var(--f);color:var(--t);background:var(--s);border:1px solid var(--l);border-radius:var(--r);padding:1rem;display:grid;gap:var(--g);overflow-wrap:anywhere;container-type:inline-size}
.line{border:0;padding:0;background:none}
.headline{font-size:1.375rem;line-height:1.25;font-weight:650;display:flex;gap:.5rem;align-items:flex-start}
.line .headline{font-size:1rem}
ol,ul{list-style:none}
svg{inline-size:1em;block-size:1em;flex:none;margin-block-start:.15em;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round}
.good{color:var(--ok)}.warn{color:var(--w)}.bad{color:var(--b)}.active{color:var(--a)}.done{color:var(--m)}
.sentence,.evidence,.time,.connection{color:var(--m)}
.evidence,.time,.connection{font-size:.875rem;line-height:1.43}
.problem,.money li,.connection{display:flex;gap:.5rem}
.steps{display:grid;gap:.5rem}
.step{display:grid;grid-template-columns:1.25rem 1fr auto;gap:0 .5rem;align-items:baseline}
.step-icon{inline-size:1.1rem;block-size:1.1rem;border-radius:50%;border:2px solid var(--t);background:var(--t);color:var(--s);font-size:.6rem;display:grid;place-items:center;align-self:center}
.now .step-icon{background:var(--a);border-color:var(--a)}.now .step-label{color:var(--a);font-weight:650}
.next .step-icon{background:none;border:2px dashed var(--e)}.next .step-label{color:var(--m)}
.problem-step .step-icon{background:var(--w);border-color:var(--w)}
.past .step-label{font-weight:650}
.action{display:inline-flex;align-items:center;min-block-size:44px;padding:.5rem 1.25rem;border-radius:10px;border:1px solid var(--e);color:var(--t);background:none;font:600 1rem/1.25 var(--f);text-decoration:none;cursor:pointer}
.action.primary{background:var(--a);border-color:var(--a);color:var(--oa)}
.action:focus-visible{outline:2px solid var(--a);outline-offset:2px}
.vh{position:absolute;inline-size:1px;block-size:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
@container (min-width:44rem){.steps{grid-auto-flow:column;grid-auto-columns:1fr}.step{grid-template-columns:1fr;align-content:start}.step-icon{align-self:start}}
`);

/** @param {string} tag @param {Any|null} [attributes] @param {...any} children */
function h(tag, attributes, ...children) {
  const el = tag === "svg" || tag === "path" ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (v === null || v === undefined || v === false) continue;
    if (k.startsWith("on")) el.addEventListener(k.slice(2), v);
    else el.setAttribute(k, v === true ? "" : String(v));
  }
  el.append(...children.flat(9).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return el;
}
const icon = (/** @type {string} */ name) => {
  const d = /** @type {Any} */ (icons)[name];
  return d ? h("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, h("path", { d })) : null;
};
const nodes = (/** @type {any[]} */ text) => (text || []).map((s) => (s.k === "money" || s.k === "name" ? h("bdi", null, s.t)
  : s.k ? h("time", { datetime: s.at }, s.t) : s.t));

const loaded = /** @type {Any} */ ({});
/** @param {string} lang @returns {Promise<Any>} */
const load = (lang) => (loaded[lang] ??= fetch(new URL(`words.${lang}.json`, HOME)).then((r) => {
  if (!r.ok) throw new Error("words");
  return r.json();
}));

/** What both elements share: connection, words, fallback, announcing. */
class StatusElement extends HTMLElement {
  static observedAttributes = ["order", "payment", "base", "token", "lang", "time-zone", "view", "transport", "announce", "heading-level"];

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    /** @type {ShadowRoot} */ (this.shadowRoot).adoptedStyleSheets = [sheet];
    this.internals = this.attachInternals?.();
    /** @type {Any} */ this.state = this.empty();
    /** @type {Any|null} */ this.data = null;
    /** @type {string|null} */ this.key = null;
    /** @type {((() => string|Promise<string>)|null)} */ this.requestToken = null;
    /** @type {Any|undefined} */ this.words = undefined;
    /** @type {string|undefined} */ this.path = undefined;
    /** @type {any} */ this.other = null;
    this.turn = 0;
    this.said = "";
    this.box = h("div");
    this.region = h("p", { class: "vh", role: "status", "aria-live": "polite", "aria-atomic": "true" });
    this.shadowRoot?.append(h("slot", { name: "before" }), this.box, h("slot"), h("slot", { name: "after" }), this.region);
  }

  /** @param {string|null} value */
  set token(value) { this.key = value; if (this.isConnected) this.connect(); }
  get token() { return this.key ?? this.getAttribute("token"); }
  get base() { return new URL(this.getAttribute("base") || HOME.origin, location.href); }
  /** The language tag, with its region: de-AT writes other amounts than de-DE. */
  get tag() {
    try {
      const [wish] = Intl.getCanonicalLocales(this.getAttribute("lang") || document.documentElement.lang || navigator.language);
      if (wish && LANGUAGES.includes(wish.split("-")[0])) return wish.split("-u-")[0];
    } catch { /* not a language */ }
    return "en";
  }
  get language() { return this.tag.split("-")[0]; }
  connectedCallback() { this.connect(); }
  disconnectedCallback() { this.w?.close(); this.w = null; }
  attributeChangedCallback() {
    if (!this.isConnected || this.queued) return;
    this.queued = true;
    queueMicrotask(() => { this.queued = false; if (this.isConnected) this.connect(); });
  }
  /** Asks for news now. */
  refresh() { return this.w?.refresh() ?? Promise.resolve(); }

  empty() { return { timeline: [], payments: {}, settings: { refund_days: "5 to 10", late_success: "refund" } }; }
  /** @returns {string} the path of the feed, "" while attributes are missing */
  feed() { return ""; }
  /** @param {Any} _event */
  take(_event) {}
  /** @param {ReturnType<typeof phrases>} _p @returns {any} */
  draw(_p) { return null; }

  async connect() {
    this.w?.close();
    this.w = null;
    /** @type {string} */
    const path = this.feed(), turn = ++this.turn;
    if (!path) return;
    if (path !== this.path) this.state = this.empty();
    this.path = path;
    try {
      this.words = await load(this.language);
    } catch { this.giveUp("words"); return; }
    if (turn !== this.turn || !this.isConnected) return;
    this.w = this.watch(path, { after: this.state.seq || 0,
      onEvent: (/** @type {Any} */ e) => { this.take(e); this.changed(e); },
      onReset: () => { this.state = this.empty(); },
      onState: (/** @type {Any} */ s) => this.connection(s),
    });
    this.render();
  }
  /** @param {string} path @param {Any} options */
  watch(path, options) {
    const token = this.token || this.requestToken ? async (/** @type {boolean} */ again) =>
      (again && this.requestToken ? (this.key = await this.requestToken()) : this.token) || "" : undefined;
    return watch(new URL(path, this.base).href, { token, transport: /** @type {any} */ (this.getAttribute("transport") || "auto"), ...options });
  }

  /** @param {Any} s */
  connection(s) {
    this.line = s;
    this.reflect("connection", s.state);
    this.mark("live", s.state === "live" || s.state === "polling");
    this.mark("closed", s.state === "closed");
    this.emit("tracker-connection", { state: s.state, transport: s.transport, retryAt: s.retryAt });
    if (s.state === "closed") this.emit("tracker-closed", {});
    if (s.state === "denied" || s.state === "missing") this.giveUp(s.state);
    else this.render();
  }
  /** @param {string} code */
  giveUp(code) {
    this.emit("tracker-error", { code });
    if (!this.data) {
      const text = this.words?.el_unavailable || "The live status is not available here.";
      this.box.replaceChildren(h("p", { class: "connection", part: "connection" }, text));
    } else this.render();
  }
  /** @param {Any} event */
  changed(event) {
    this.emit("tracker-change", { event, data: this.data });
    this.redraw();
  }
  redraw() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.render(true), 60);
  }
  render(announce = false) {
    if (!this.words || !this.data) return;
    const zone = this.getAttribute("time-zone") || undefined;
    const p = phrases(this.words, { lang: this.language, now: Date.now(), intl: this.tag, zone: zone === "UTC" ? "Etc/UTC" : zone });
    const drawn = this.draw(p);
    if (!drawn) return;
    const card = h("section", { class: "card " + (this.getAttribute("view") || "full"), part: "card", dir: this.language === "ar" ? "rtl" : "ltr", lang: this.language },
      drawn.nodes, this.quiet(p));
    if (!this.box.firstElementChild?.isEqualNode(card)) {
      const had = this.shadowRoot?.activeElement?.getAttribute("part");
      this.box.replaceChildren(card);
      if (had) /** @type {any} */ (card.querySelector(`[part="${had}"]`))?.focus();
    }
    const fallback = /** @type {any} */ (this.shadowRoot?.querySelector("slot:not([name])"));
    fallback.hidden = true;
    fallback.style.setProperty("display", "none");
    if (announce && this.said && this.said !== drawn.say && this.getAttribute("announce") !== "off") this.region.textContent = drawn.say.slice(0, 140);
    this.said = drawn.say;
  }
  /** @param {ReturnType<typeof phrases>} p the connection, in one small line */
  quiet(p) {
    const s = this.line, at = { at: new Date(s?.heard || Date.now()).toISOString() };
    if (!s || s.state === "connecting") return null;
    const key = { live: "live", polling: "polling", retrying: "retrying", offline: "offline", closed: "closed" }[String(s.state)];
    if (!key) return null;
    return h("p", { class: "connection", part: "connection" }, nodes(p.say(key, { at, n: Math.round((s.every || 0) / 1000) })));
  }
  /** @param {string} title @param {string} tone */
  heading(title, tone) {
    return h("div", { class: "headline", part: "headline", role: "heading", "aria-level": this.getAttribute("heading-level") || "2" },
      h("span", { class: tone }, icon(tone)), h("span", null, title));
  }
  /** @param {string} name @param {string} value */
  reflect(name, value) { if (this.getAttribute(name) !== value) this.setAttribute(name, value || ""); }
  /** @param {string} name @param {boolean} on */
  mark(name, on) { try { on ? this.internals?.states.add(name) : this.internals?.states.delete(name); } catch { /* older browsers */ } }
  /** @param {string} type @param {Any} detail */
  emit(type, detail, cancelable = false) { return this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true, cancelable })); }
}

class OrderStatus extends StatusElement {
  feed() { const id = this.getAttribute("order"); return id ? `/v1/orders/${encodeURIComponent(id)}/events` : ""; }
  /** @param {Any} e */
  take(e) {
    const s = this.state;
    s.order = this.data = e.data.order;
    s.seq = e.seq;
    if (!s.timeline.some((/** @type {Any} */ t) => t.seq === e.seq)) s.timeline.push(e.data.transition);
    this.reflect("status", s.order.status);
    this.reflect("payment-status", s.order.payment_status);
    this.reflect("fulfillment-status", s.order.fulfillment_status);
  }
  /** @param {ReturnType<typeof phrases>} p */
  draw(p) {
    const v = describe(this.state, p).track(), view = this.getAttribute("view") || "full", title = plain(v.title);
    this.mark("trouble", ["trouble", "held", "review", "reversed"].includes(v.state));
    const out = /** @type {any[]} */ ([this.heading(title, v.tone)]);
    const say = title + ". " + v.sentences.map(plain).join(" ");
    if (view === "line") return { nodes: out, say };
    out.push(v.sentences.map((/** @type {any} */ s) => h("p", { class: "sentence", part: "sentence" }, nodes(s))),
      v.notices.map((/** @type {Any} */ n) => h("div", { class: "problem " + n.tone, part: "problem" }, icon(n.tone), h("div", null, h("p", null, nodes(n.text)), h("p", { class: "evidence" }, nodes(n.more))))));
    if (v.action) out.push(h("p", null, h("a", { class: "action primary", part: "action", href: new URL(v.action.href, this.base).href }, nodes(v.action.label))));
    out.push(h("ol", { class: "steps", part: "steps", role: "list" }, v.steps.map((/** @type {Any} */ s) => h("li", { class: "step " + (s.state === "problem" ? "problem-step" : s.state), part: "step", "aria-current": ["now", "problem"].includes(s.state) ? "step" : null },
      h("span", { class: "step-icon", part: "step-icon", "aria-hidden": "true" }, icon({ past: "done", problem: "warn", ended: "ended" }[String(s.state)] || "")),
      h("span", { class: "step-label", part: "step-label" }, nodes(s.label), " ", h("span", { class: "vh" }, s.word)), h("span", { class: "time", part: "step-time" }, nodes(s.time))))));
    if (view === "full") {
      out.push(h("ul", { class: "money", part: "money", role: "list" }, v.money.map((/** @type {Any} */ m) => h("li", null, h("span", { class: m.tone }, icon(m.tone)), h("span", null, nodes(m.text))))),
        v.parcels.length ? h("ul", { part: "parcels", role: "list" }, v.parcels.map((/** @type {Any} */ c) => h("li", { part: "parcel" }, nodes(c.title), ": ", nodes(c.status), " ", c.url ? h("a", { href: c.url, rel: "noreferrer" }, h("bdi", null, c.number)) : h("bdi", null, c.number)))) : null,
        h("ol", { part: "log", role: "list" }, v.log.slice(0, 4).map((/** @type {Any} */ e) => h("li", { part: "entry" }, nodes(e.title), " ", h("span", { class: "time" }, nodes(e.time)),
          e.notes.map((/** @type {any} */ n) => h("p", { class: "evidence", part: "evidence" }, nodes(n)))))), h("slot", { name: "help" }));
    }
    return { nodes: out, say };
  }
}

class PaymentStatus extends StatusElement {
  feed() { const id = this.getAttribute("payment"); return id ? `/v1/payments/${encodeURIComponent(id)}/events` : ""; }
  /** @param {Any} e */
  take(e) {
    const pay = (this.data = e.data.payment), s = this.state;
    s.seq = e.seq;
    const known = (s.payments[pay.id] ??= { timeline: [] });
    known.payment = pay;
    if (!known.timeline.some((/** @type {Any} */ t) => t.seq === e.seq)) known.timeline.push(e.data.transition);
    // Of the order only the payment is known, so only its words are spoken, until
    // it takes the order to tell whether there is still anything to pay.
    if (s.whole) s.order.payments = s.order.payments.map((/** @type {Any} */ p) => (p.id === pay.id ? pay : p));
    else s.order = { id: pay.order_id, reference: "", status: "pending_payment", payment_status: "", fulfillment_status: "", amount: pay.amount, currency: pay.currency,
      items: [], shipments: [], payments: [pay], shop: {}, pay_by: pay.expires_at, created_at: pay.created_at, updated_at: pay.updated_at };
    this.reflect("status", pay.status);
    const final = ["captured", "partially_captured", "failed", "expired", "cancelled", "voided", "refunded", "reversed"];
    if (final.includes(pay.status)) this.emit("tracker-settled", { status: pay.status });
    if (["failed", "expired", "cancelled", "voided"].includes(pay.status)) this.follow(pay.order_id);
  }
  /** The order of a payment that did not happen: cancelled, it takes no other one. @param {string} id */
  follow(id) {
    this.other ??= this.watch(`/v1/orders/${encodeURIComponent(id)}/events`, { onEvent: (/** @type {Any} */ e) => {
      this.state.whole = true;
      this.state.order = e.data.order;
      if (!this.state.timeline.some((/** @type {Any} */ t) => t.seq === e.seq)) this.state.timeline.push(e.data.transition);
      this.redraw();
    } });
  }
  connect() { this.leave(); return super.connect(); }
  disconnectedCallback() { this.leave(); super.disconnectedCallback(); }
  leave() { this.other?.close(); this.other = null; }
  /** @param {ReturnType<typeof phrases>} p */
  draw(p) {
    const v = checkout(this.state, p, { from_bank: true }), title = plain(v.title);
    this.mark("trouble", v.tone === "warn" || v.tone === "bad");
    const home = this.getAttribute("order-href") || new URL("/track/" + this.data?.order_id, this.base).href;
    const actions = v.actions.map((/** @type {Any} */ a) => {
      if (a.kind === "stop") return null;
      if (a.kind === "pay") {
        if (!this.state.whole) return null; // nobody is asked to pay before it is known that there is something to pay
        return h("button", { class: "action primary", part: "action", type: "button", onclick: () => {
          if (this.emit("tracker-retry", { payment: this.data?.id }, true)) location.assign(this.getAttribute("return-href") || new URL("/checkout/" + this.data?.order_id, this.base).href);
        } }, p.get("c_try_again"));
      }
      return h("a", { class: "action" + (a.primary ? " primary" : ""), part: "action", href: a.href.startsWith("/track/") ? home : a.href }, nodes(a.label));
    });
    return { say: title, nodes: [this.heading(title, v.tone), v.sentences.map((/** @type {any} */ s) => h("p", { class: "sentence", part: "sentence" }, nodes(s))),
      this.getAttribute("view") === "line" ? null : h("p", null, actions)] };
  }
}

if (!customElements.get("order-status")) customElements.define("order-status", OrderStatus);
if (!customElements.get("payment-status")) customElements.define("payment-status", PaymentStatus);
export { OrderStatus, PaymentStatus };
