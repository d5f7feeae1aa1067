// `blastwall login`: the code on the terminal is confirmed here, by whoever is signed in.

import { postAuth } from "../api.js";
import { announce, fill, h, text } from "../dom.js";
import { button, busy, card, field, head, input, note } from "../parts.js";

export async function show(page) {
  const code = input({ value: page.query.get("code") ?? "", autocapitalize: "characters", maxlength: "20", class: "code codefield" });
  const asked = field("Code", code, { hint: "As your terminal shows it." });
  const failed = h("div.failed");
  const confirm = button("Confirm", { kind: "primary", type: "submit", name: "check", class: "large" });
  const form = h("form.narrow", note("hold", h("p.title", "Only a code of your own"), h("p", "Confirm it only if you started ", h("code", "blastwall login"), " yourself, just now. A code that somebody sent you would let them act as you.")), asked, failed, h("div.verdict", confirm));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = code.value.trim().toUpperCase();
    asked.fail(typed ? "" : "Type the code.");
    if (!typed) return;
    busy(confirm, failed, async () => {
      await postAuth("/device/confirm", { user_code: typed });
      announce("Confirmed", true);
      fill(form, note("allow", h("p.title", "Confirmed"), h("p", "Your terminal is signed in. You can close this page.")));
    });
  });
  fill(page.main, head("Confirm a device", ["It will be signed in as ", text(page.me.name, "b"), "."]), card(null, form));
}
