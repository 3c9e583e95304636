// Renders the states in argv[2] with the script's words and compares them with
// what Go said. Absent, null and empty are the same here.
import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { describe, icons, phrases } from "../../static/client/view.js";
import { checkout } from "../../static/client/checkoutview.js";

const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const words = (lang) => read(new URL(`../../static/words/words.${lang}.json`, import.meta.url));
const cache = {};
const bare = (v) => {
  if (Array.isArray(v)) return v.length ? v.map(bare) : undefined;
  if (v === null || typeof v !== "object") return v === "" || v === null ? undefined : v;
  const out = {};
  for (const [k, x] of Object.entries(v)) if (bare(x) !== undefined) out[k] = bare(x);
  return out;
};

const { examples, icons: drawn, sums, plurals } = read(process.argv[2]);
assert.deepEqual(icons, drawn, "icons");
for (const [lang, forms] of Object.entries(plurals)) {
  assert.deepEqual(forms.map((_, n) => new Intl.PluralRules(lang).select(n)), forms, "plurals of " + lang);
}
for (const s of sums) {
  assert.equal(phrases((cache[s.Lang] ??= words(s.Lang)), { lang: s.Lang, now: 0 }).money(s.Minor, s.Currency), s.Text, s.Lang + " " + s.Currency);
}
const there = phrases(words("de"), { lang: "de", now: Date.parse("2026-11-23T12:00:00Z"), zone: "Etc/UTC", intl: "de-AT" });
assert.equal(there.money(123456789, "EUR"), "€\u00a01.234.567,89", "Intl: an amount as in Austria");
assert.equal(there.money(-5, "TND"), "-TND\u00a00,005", "Intl: three digits");
assert.equal(there.when("2026-11-24T07:05:00Z", "moment"), "Di., 24. Nov., 07:05", "Intl: a moment");
const arabic = phrases(words("ar"), { lang: "ar", now: 0, intl: "ar" });
assert.match(arabic.money(4198, "EUR"), /41\.98/, "Intl: digits 0 to 9");
let failures = 0;
for (const e of examples) {
  const p = phrases((cache[e.lang] ??= words(e.lang)), { lang: e.lang, now: Date.parse(e.now), zone: "UTC" });
  const d = describe(e.state, p), track = d.track();
  const visit = { ...e.visit, at: e.visit.at.startsWith("0001") ? "" : e.visit.at };
  try {
    assert.deepEqual(bare(track), bare(e.track));
    assert.equal(d.title(track), e.title);
    assert.deepEqual(bare(checkout(e.state, p, visit)), bare(e.Checkout));
  } catch (error) {
    if (failures++ < 3) console.error(e.name, e.lang, JSON.stringify(e.visit), error.message);
  }
}
assert.equal(failures, 0, `${failures} of ${examples.length} differ`);
