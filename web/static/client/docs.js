// @ts-check
/** A button to copy each example. */
import { h, say } from "./dom.js";

for (const box of document.querySelectorAll(".box")) {
  const name = box.querySelector("pre")?.getAttribute("aria-label") || "";
  const button = h("button", { type: "button", class: "btn copy", "aria-label": `Copy: ${name}`, onclick: async () => {
    try {
      await navigator.clipboard.writeText(box.querySelector("code")?.textContent || "");
      button.textContent = "Copied";
      say("Copied");
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    } catch { say("Copying is not allowed here"); }
  } }, "Copy");
  box.append(button);
}
