// @ts-check
/** The demo shop's basket. Without it the form has number fields and one button. */

import { h, nodes, plainText, say, start } from "./dom.js";

const { state, phrases } = await start();
const form = /** @type {HTMLFormElement} */ (document.getElementById("order"));
const fields = /** @type {HTMLInputElement[]} */ ([...form.querySelectorAll("input[type=number]")]);
const place = /** @type {HTMLButtonElement} */ (document.getElementById("place"));
const cash = (/** @type {number} */ minor) => ({ cash: minor, currency: state.currency });
let busy = false, /** @type {any} */ speaking;

function draw() {
  const p = phrases();
  const chosen = fields.map((f) => ({ n: Math.min(9, Math.max(0, Number(f.value) || 0)), amount: Number(f.dataset.amount), name: f.dataset.name || "" }));
  const total = chosen.reduce((sum, c) => sum + c.n * c.amount, 0);
  document.getElementById("lines")?.replaceChildren(...chosen.filter((c) => c.n).map((c) =>
    h("li", null, h("span", null, nodes(p.join(p.value(c.n), " × ", p.value({ name: c.name })))), h("span", null, nodes(p.value(cash(c.n * c.amount)))))));
  const hint = document.getElementById("hint");
  if (hint) { hint.textContent = total ? "" : p.get("shop_nothing"); }
  place.replaceChildren(h("span", null, busy ? p.get("shop_placing") : nodes(total ? p.say("shop_place_n", { amount: cash(total) }) : p.say("shop_place"))));
  return { total, p };
}

for (const f of fields) {
  for (const b of /** @type {HTMLButtonElement[]} */ ([...(f.parentElement?.querySelectorAll("button") || [])])) {
    b.hidden = false;
    b.addEventListener("click", () => {
      f.value = String(Math.min(9, Math.max(0, (Number(f.value) || 0) + Number(b.dataset.step))));
      f.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
}
form.addEventListener("input", () => {
  const { total, p } = draw();
  clearTimeout(speaking);
  speaking = setTimeout(() => say(plainText(p.say("shop_total", { amount: cash(total) }))), 500);
});
form.addEventListener("submit", (e) => {
  const { total, p } = draw();
  if (busy || !total) e.preventDefault();
  if (busy) return;
  if (!total) {
    document.getElementById("problem")?.replaceChildren(h("p", { class: "notice bad" }, p.get("shop_empty")));
    fields[0].focus();
    return;
  }
  busy = true;
  place.setAttribute("aria-disabled", "true");
  setTimeout(draw, 300);
});
addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
draw();
