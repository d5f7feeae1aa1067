// Not signed in, or not known here, or nobody answers.

import { h, icon } from "./dom.js";
import { failure } from "./parts.js";

// What the gateway takes as a place to come back to.
const PLACE = /^\/[A-Za-z0-9/._~%?=&-]{0,256}$/;

/** What stands where the page would, and why. */
export function signin(error, again) {
  document.title = "Sign in · Blastwall";
  const here = location.hash.slice(1);
  const back = PLACE.test(here) ? here : "/";
  const how = error.status === 401
    ? h("div.stack",
      h("p", "Sign in with your organisation's account to see what waits for you."),
      h("a.button.primary.large", { href: `/auth/login?to=${encodeURIComponent(back)}` }, icon("user"), h("span", "Sign in")))
    : failure(error, again);
  return h("main.signin", { id: "main", tabindex: "-1" },
    h("div.panel", h("p.brand", icon("wall"), h("span", "Blastwall")), h("h1", error.status === 401 ? "Sign in" : "Blastwall"), how,
      error.status === 401 ? h("p.hint", "Agents have no place here: their tokens are refused.") : null));
}
