// @ts-check
/** Keeps the order page fresh. The page is complete without it. */

import { asOf, connection, copyButton, h, icon, keepFocus, keeper, morph, named, nodes, plainText, say, start } from "./dom.js";
import { watch } from "./tracker.js";
import { describe } from "./view.js";

const FIRST = 4;
const { state, phrases } = await start();
const main = /** @type {HTMLElement} */ (document.querySelector("main"));

/** @param {any} s */
const step = (s) => h("li", { class: "step " + s.state, "aria-current": ["now", "problem"].includes(s.state) ? "step" : null },
  h("span", { class: "dot", "aria-hidden": "true" }, icon({ past: "done", problem: "warn", ended: "ended" }[String(s.state)] || "")),
  h("span", { class: "label" }, nodes(s.label), " ", h("span", { class: "vh" }, s.word)), h("span", { class: "at" }, nodes(s.time)),
  s.note?.length ? h("span", { class: "note" }, nodes(s.note)) : null);
const list = (/** @type {any[]} */ items) => h("ul", { role: "list" }, items);
const entry = (/** @type {any} */ e, /** @type {boolean} */ fresh, /** @type {any} */ p) => h("li", { "data-key": e.key, class: fresh ? "new" : null },
  h("div", { class: "row" }, h("span", { class: "title" }, nodes(e.title), fresh ? h("span", { class: "tag" }, " " + p.get("new_tag")) : null),
    h("span", { class: "at" }, nodes(e.time))),
  e.notes.map((/** @type {any} */ n) => h("p", { class: "notes" }, nodes(n))));

/** @param {any} c @param {any} p */
const parcel = (c, p) => h("section", { class: "card parcel" },
  h("div", { class: "row" }, h("h2", null, nodes(c.title)), c.carrier ? h("bdi", null, c.carrier) : null),
  h("p", null, h("span", { class: "pill " + c.tone }, icon(c.tone), h("span", null, nodes(c.status)))),
  c.when?.length ? h("p", { class: "small" }, nodes(c.when)) : null,
  c.number ? [h("p", { class: "small" }, p.get("parcel_number")),
    h("p", { class: "number" }, h("bdi", null, c.number), " ", copyButton(c.number, p))] : null,
  list(c.items.map((/** @type {any} */ i) => h("li", null, named(i)))),
  c.url ? h("p", { class: "actions" }, h("a", { class: "btn", href: c.url, rel: "noreferrer" },
    plainText(p.say("track_at", { carrier: { name: c.carrier } })))) : null);

let known = /** @type {Set<string>|undefined} */ (undefined), held = 0;

function draw() {
  const p = phrases(), d = describe(state, p), v = d.track(), seen = known;
  const reading = main.querySelector(".log")?.contains(document.activeElement) && document.activeElement !== document.body;
  let log = v.log;
  if (reading && seen) log = log.filter((/** @type {any} */ e) => seen.has(e.key));
  held = v.log.length - log.length;
  const fresh = (/** @type {any} */ e) => !!seen && !seen.has(e.key);
  const older = log.slice(FIRST);
  const next = h("main", { id: "main", "data-state": v.state }, h("div", { class: "layout" },
    h("section", { class: "card status" },
      h("h1", { tabindex: "-1" }, h("span", { class: v.tone + "-ink" }, icon(v.tone)), h("span", null, nodes(v.title))),
      v.sentences.map((/** @type {any} */ s) => h("p", { class: "lead" }, nodes(s))),
      v.notices.map((/** @type {any} */ n) => h("div", { class: "notice " + n.tone }, icon(n.tone),
        h("div", null, h("p", null, nodes(n.text)), h("p", null, nodes(n.more))))),
      v.action ? h("p", { class: "actions" }, h("a", { class: "btn primary", href: v.action.href }, h("span", null, nodes(v.action.label)))) : null,
      h("div", { class: "steps" }, h("ol", { role: "list" }, v.steps.map(step))),
      h("p", { class: "line", id: "line" })),
    h("div", { class: "side" }, v.parcels.map((/** @type {any} */ c) => parcel(c, p)),
      v.unsent.length ? h("section", { class: "card unsent" }, h("h2", null, p.get("unsent")),
        list(v.unsent.map((/** @type {any} */ u) => h("li", null, named(u))))) : null,
      h("section", { class: "card money" }, h("h2", null, p.get("h_money")), list(v.money.map((/** @type {any} */ m) => h("li", null,
        h("span", { class: m.tone + "-ink" }, icon(m.tone)), h("span", { class: "text" }, nodes(m.text)),
        m.note?.length ? h("span", { class: "note" }, nodes(m.note)) : null))))),
    h("div", { class: "stack" },
      h("section", { class: "card log" }, h("h2", null, p.get("h_log")),
        held ? h("p", null, h("button", { type: "button", class: "btn", "data-kind": "held", onclick: release }, plainText(p.count("entries_n", held)))) : null,
        h("ol", { role: "list" }, log.slice(0, FIRST).map((/** @type {any} */ e) => entry(e, fresh(e), p))),
        older.length ? h("details", null, h("summary", null, nodes(p.count("show_all", log.length))),
          h("ol", { role: "list" }, older.map((/** @type {any} */ e) => entry(e, fresh(e), p)))) : null),
      h("section", { class: "card items" }, h("h2", null, p.get("h_items")), list([
        ...v.items.map((/** @type {any} */ i) => h("li", null, h("div", { class: "what" }, named(i.what)), nodes(i.amount))),
        h("li", { class: "total" }, h("span", null, p.get("h_total")), nodes(v.total))])))));
  keepFocus(() => morph(main, next));
  document.documentElement.dataset.drawn = "";
  document.title = d.title(v);
  asOf(p, w?.state.heard);
  known = new Set(log.map((/** @type {any} */ e) => e.key));
  return { v, p };
}
function release() {
  /** @type {any} */ (document.querySelector("h1"))?.focus({ preventScroll: true });
  draw();
}

const told = (/** @type {any} */ v) => ({ now: plainText(v.title) + ". " + v.sentences.map(plainText).join(" "), money: plainText(v.money[v.money.length - 1].text) });
let before = { now: "", money: "" }, news = 0, seq = state.order.sequence, /** @type {any} */ soon;
/** Draws once for all that came together, and says once what is new: a state that
 *  is told again is not, and what only the payment can tell of it belongs to it. */
function changed() {
  clearTimeout(soon);
  soon = setTimeout(() => {
    const { v, p } = draw(), is = told(v);
    if (news && keep.asking()) return;
    if (news > 1) say(plainText(p.count("updates_n", news, { what: v.title })));
    else if (news && is.now !== before.now) say(is.now);
    else if (news && is.money !== before.money) say(is.money);
    before = is;
    news = 0;
  }, 60);
}

/** @type {any} */ let w;
const keep = keeper(state, changed);
before = told(draw().v);
setInterval(() => { if (!document.hidden) draw(); }, 15000); // a date that is over, a check that was due

const undecided = () => ["processing", "action_required"].includes(state.order.payment_status);
const show = connection(phrases, { undecided });
w = watch(`/v1/orders/${state.order.id}/events`, {
  after: state.order.sequence,
  onEvent: (e) => {
    if (e.seq > seq) { seq = e.seq; news++; }
    keep.order(e);
  },
  onReset: keep.reset,
  onState: show,
});
addEventListener("pageshow", (e) => { if (e.persisted) w.refresh(); });
