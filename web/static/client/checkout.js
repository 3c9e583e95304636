// @ts-check
/** Keeps the checkout fresh and pays without leaving the page too early. Works without it. */

import { asOf, connection, h, icon, keepFocus, keeper, morph, named, nodes, plainText, say, start } from "./dom.js";
import { checkout } from "./checkoutview.js";
import { watch } from "./tracker.js";

const { state, phrases } = await start();
const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const query = new URLSearchParams(location.search), stamp = Number(query.get("at"));
const visit = { from_bank: query.get("from") === "bank", at: stamp ? new Date(stamp * 1000).toISOString() : "", flash: "" };
const id = state.order.id;
let key = main.querySelector("input[name=key]")?.getAttribute("value") || fresh();
let busy = "", bank = "";

function fresh() { return crypto.randomUUID ? crypto.randomUUID() : String(Math.random()).slice(2) + Date.now(); }

/** @param {any} s */
const step = (s) => h("li", { class: "step " + s.state, "aria-current": s.state === "now" ? "step" : null },
  h("span", { class: "dot", "aria-hidden": "true" }, icon(s.state === "past" ? "done" : "")),
  h("span", { class: "label" }, nodes(s.label), " ", h("span", { class: "vh" }, s.word)), h("span", { class: "at" }, nodes(s.time)),
  s.note?.length ? h("span", { class: "note" }, nodes(s.note)) : null);

/** @param {any} a @param {any} p */
function control(a, p) {
  if (a.kind === "link") return h("a", { class: "btn" + (a.primary ? " primary" : ""), href: a.href }, h("span", null, nodes(a.label)));
  const on = busy === a.kind;
  const button = h("button", { class: "btn" + (a.primary ? " primary" : ""), "aria-disabled": on ? "true" : null },
    h("span", null, on && a.kind === "pay" ? p.get(checking ? "c_checking" : "c_starting") : nodes(a.label)));
  const hidden = a.kind === "pay" ? [["key", key], ["amount", ""]] : [["payment", a.href]];
  return h("form", { method: "post", action: `/checkout/${id}/${a.kind}`, "data-kind": a.kind },
    hidden.map(([name, value]) => h("input", { type: "hidden", name, value })), button);
}

let phase = "";
/** @type {any} */ let feed;
let checking = false;
function draw() {
  const p = phrases();
  let v = checkout(state, p, visit);
  if (visit.flash === "redirecting") {
    v = { ...v, state: "starting", tone: "active", title: p.say("c_redirecting"), sentences: [p.say("c_redirecting_text")], why: false, steps: [],
      actions: [{ kind: "link", label: p.say("c_continue_to"), href: bank, primary: true }] };
  }
  const alert = visit.flash === "bank_down" || visit.flash === "unsure";
  const sentences = v.sentences.map((/** @type {any} */ s) => h("p", { class: "lead" }, nodes(s)));
  const pieces = state.order.items.reduce((/** @type {number} */ n, /** @type {any} */ i) => n + i.quantity, 0);
  const next = h("main", { id: "main", "data-state": v.state }, h("div", { class: "layout two" },
    h("section", { class: "card status" }, h("div", { id: "strip", hidden: true }),
      h("h1", { tabindex: "-1" }, h("span", { class: v.tone + "-ink" }, icon(v.tone)), h("span", null, nodes(v.title))),
      alert ? h("div", { role: "alert" }, sentences) : sentences,
      v.steps.length ? h("div", { class: "steps" }, h("ol", { role: "list" }, v.steps.map(step))) : null,
      v.money.length ? h("div", { class: "money" }, h("ul", { role: "list" }, v.money.map((/** @type {any} */ m) => h("li", null,
        h("span", { class: m.tone + "-ink" }, icon(m.tone)), h("span", { class: "text" }, nodes(m.text)),
        m.note?.length ? h("span", { class: "note" }, nodes(m.note)) : null)))) : null,
      v.why ? h("details", null, h("summary", null, p.get("c_why")), h("p", null, p.get("c_why_text"))) : null,
      v.actions.length ? h("div", { class: "actions" }, v.actions.map((/** @type {any} */ a) => control(a, p))) : null,
      h("p", { class: "line", id: "line" })),
    h("div", { class: "side" }, h("section", { class: "card items basket" }, h("details", { open: true },
      h("summary", null, h("span", null, nodes(p.count("items_n", pieces))), nodes(v.total)),
      h("ul", { role: "list" }, v.items.map((/** @type {any} */ i) => h("li", null, h("div", { class: "what" }, named(i.what)), nodes(i.amount))),
        h("li", { class: "total" }, h("span", null, p.get("h_total")), nodes(v.total))))))));
  keepFocus(() => morph(main, next));
  document.documentElement.dataset.drawn = "";
  document.title = [plainText(v.title), plainText(p.say("order_n", { ref: { name: state.order.reference } })), state.order.shop.name || "Tracker"].join(" - ");
  if (phase && phase !== v.state && v.state !== "still" && !alert) say(plainText(v.title) + ". " + v.sentences.map(plainText).join(" "));
  phase = v.state;
  asOf(p, feed?.state.heard);
  follow(v);
  return v;
}

/** The strip above any state: what the connection means for the money. @param {string} title @param {string} text */
function strip(title, text) {
  const el = document.getElementById("strip"), p = phrases();
  if (!el) return;
  el.hidden = !title;
  el.className = "notice warn";
  el.replaceChildren(...(title ? [icon("warn"), h("div", null, h("p", null, p.get(title)), h("p", null, p.get(text)))] : []));
  if (title) say(p.get(title) + ". " + p.get(text));
}

// The bank's answer is awaited by long polls of the payment; what others do to
// the order arrives on its own feed.
const keep = keeper(state, () => {
  if (["other_tab", "unsure", "bank_down", "changed"].includes(visit.flash)) visit.flash = "";
  draw();
});
let waiting = /** @type {any} */ (null), followed = "";
/** @param {any} v */
function follow(v) {
  const open = ["created", "requires_action", "processing", "unknown", "authorized", "review", "late_success", "refund_pending"];
  const last = state.order.payments.findLast((/** @type {any} */ p) => open.includes(p.status));
  const wanted = v.waiting && last ? last.id : "";
  if (wanted === followed) return;
  waiting?.close();
  followed = wanted;
  waiting = !wanted ? null : watch(`/v1/payments/${wanted}/events`, { after: state.payments[wanted]?.payment.sequence || 0,
    transport: /** @type {any} */ (["long-poll", "short-poll"]), onEvent: (e) => keep.payment([e]), onState: (s) => { if (s.state === "denied") strip("c_no_access", "c_no_access_text"); } });
}

draw();
const undecided = () => ["processing", "action_required"].includes(state.order.payment_status);
const line = connection(phrases, { undecided, onDenied: () => strip("c_no_access", "c_no_access_text") });
let off = false;
feed = watch(`/v1/orders/${id}/events`, { after: state.order.sequence, onEvent: keep.order, onReset: keep.reset, onState: (s) => {
  line(s);
  if (s.state === "offline" && !off) { off = true; strip("c_offline", state.order.payments.length ? "c_offline_text" : "c_offline_ready"); }
  if (off && s.state === "live") { off = false; strip("", ""); }
} });
setInterval(() => { if (!document.hidden && !busy) draw(); }, 1000); // the words of a wait change with its length

/** Asks for news before a button that moves money is live again: 3 seconds at most, then the server decides. */
async function check() {
  checking = true;
  busy = "pay";
  draw();
  await Promise.race([feed.refresh(), new Promise((done) => setTimeout(done, 3000))]);
  checking = false;
  busy = "";
  draw();
}
addEventListener("pageshow", (e) => { if (e.persisted) { visit.flash = ""; key = fresh(); check(); } });
document.addEventListener("visibilitychange", () => { if (!document.hidden && !busy) feed.refresh(); });

main.addEventListener("submit", (e) => {
  const form = /** @type {HTMLFormElement} */ (e.target);
  if (form.dataset.kind === "pay") { e.preventDefault(); if (!busy) pay(); }
  if (form.dataset.kind === "stop") { if (busy) e.preventDefault(); else busy = "stop"; }
});

async function pay() {
  busy = "pay";
  const label = setTimeout(draw, 300);
  visit.flash = "";
  try {
    const r = await fetch("/v1/payments", { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json", "Idempotency-Key": key },
      body: JSON.stringify({ order_id: id, return_url: `${location.origin}/checkout/${id}?from=bank` }) });
    const body = (r.headers.get("Content-Type") || "").includes("json") ? await r.json() : null;
    if (r.status === 201 && body) {
      key = fresh();
      keepPayment(body);
      bank = body.next_action?.url || "";
      visit.flash = bank ? "redirecting" : "";
      if (bank) location.assign(bank);
    } else refused(r.status, body);
  } catch {
    visit.flash = "unsure";
  } finally {
    clearTimeout(label);
    if (visit.flash !== "redirecting") busy = "";
    draw();
  }
}

/** @param {number} status @param {any} body */
function refused(status, body) {
  const code = body?.code || "";
  if (status === 401 || status === 403) strip("c_no_access", "c_no_access_text");
  else if (code === "payment_open") { keepPayment(body.current?.payment); visit.flash = "other_tab"; key = fresh(); }
  else if (code === "provider_unavailable" || code === "rejected_by_provider") { visit.flash = "bank_down"; key = fresh(); }
  else if (status === 409) { visit.flash = "changed"; key = fresh(); feed.refresh(); }
  else visit.flash = "unsure";
}

/** @param {any} p a payment as REST tells it, which the order's feed will tell in a moment */
function keepPayment(p) {
  if (!p?.id) return;
  const { timeline = [], ...payment } = p;
  state.payments[p.id] = { payment, timeline };
  if (!state.order.payments.some((/** @type {any} */ x) => x.id === p.id)) {
    state.order.payments.push({ id: p.id, status: p.status, amount: p.amount, captured: p.captured, refunded: p.refunded,
      refund_pending: p.refund_pending, updated_at: p.updated_at, next_check_at: p.next_check_at });
  }
}
