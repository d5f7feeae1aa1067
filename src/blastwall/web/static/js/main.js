// The frame around every page: who am I, where can I go, and is what I see live.

import { get, live, postAuth, trust } from "./api.js";
import { announce, fill, h, icon, text } from "./dom.js";
import { Router } from "./router.js";
import { button, dot } from "./parts.js";
import { signin } from "./signin.js";
import { waitingCount } from "./counts.js";

const PLACES = [
  ["waiting", "#/", "inbox", "Waiting for me", "Waiting"],
  ["sessions", "#/sessions", "terminal", "Sessions", "Sessions"],
  ["grants", "#/grants", "key", "Grants", "Grants"],
  ["containment", "#/containment", "stop", "Containment", "Contain"],
  ["agents", "#/agents", "agent", "Agents", "Agents"],
  ["resources", "#/resources", "database", "Resources", "Resources"],
  ["policies", "#/policies", "scroll", "Policies", "Policies"],
  ["health", "#/health", "pulse", "Health", "Health"],
];
const ON_PHONE = 4;
const PATIENCE_MS = 1000;
const LIVE = { live: "Live", waiting: "Reconnecting…", off: "Not live" };

const app = document.getElementById("app");
let closeMore = () => {};

async function start() {
  live.stop();
  let me;
  try {
    me = await get("/me");
  } catch (error) {
    fill(app, signin(error, start));
    return;
  }
  trust(me.csrf);
  const main = h("main", { id: "main", tabindex: "-1" });
  const context = { me, entered };
  fill(app, h("div.frame", side(me), main));
  live.start();
  await live.opened(PATIENCE_MS);
  if (!main.isConnected) return;
  waitingCount(app);
  await new Router(main, context).show();
}

function side(me) {
  const more = h("button.tab.more", { type: "button", "aria-expanded": "false", "aria-controls": "places" }, icon("dots"), h("span", "More"));
  const places = h("ul.places", { id: "places" }, PLACES.map(([section, href, name, long, brief], at) =>
    h("li", { class: at < ON_PHONE ? "" : "far" },
      h("a.tab", { href, "data-section": section }, icon(name), h("span.long", long), h("span.brief", { "aria-hidden": "true" }, brief),
        section === "waiting" ? h("span.count", { hidden: true, "data-waiting": "" }) : null))));
  const nav = h("nav", { "aria-label": "Pages" }, places, more);
  closeMore = (focus) => {
    if (more.getAttribute("aria-expanded") === "false") return;
    nav.classList.remove("open");
    more.setAttribute("aria-expanded", "false");
    if (focus) more.focus();
  };
  more.addEventListener("click", () => {
    const open = nav.classList.toggle("open");
    more.setAttribute("aria-expanded", String(open));
    if (open) nav.querySelector("li.far a").focus();
  });
  nav.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMore(true); });
  nav.addEventListener("click", (event) => { if (event.target.closest("a")) closeMore(false); });
  return h("header.side", h("a.brand", { href: "#/" }, icon("wall"), h("span", "Blastwall")), nav, foot(me));
}

function foot(me) {
  const state = h("p.live", dot("off"), h("span", LIVE.off));
  live.addEventListener("state", (event) => {
    fill(state, dot(event.detail), h("span", LIVE[event.detail]));
    if (event.detail === "waiting") announce("The line to the gateway is down; trying again");
  });
  return h("div.foot", state,
    h("a.who", { href: "#/account", "data-section": "account", "aria-label": `Who am I: ${me.name}` }, icon("user"), text(me.name, "span")),
    button("Sign out", { kind: "quiet", name: "out", class: "signout", onclick: signOut }));
}

async function signOut() {
  try {
    await postAuth("/logout");
  } catch {
    // Whether or not the gateway heard it, the next read shows who is signed in.
  }
  await start();
}

function entered(section) {
  closeMore(false);
  for (const link of app.querySelectorAll("[data-section]")) {
    if (link.dataset.section === section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

// The address after `#` names pages here, so the skip link moves the focus itself.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main")?.focus();
});

document.addEventListener("signout", signOut);

let asking = false;
document.addEventListener("signedout", () => {
  if (asking || !app.querySelector(".frame")) return;
  asking = true;
  queueMicrotask(async () => {
    await start();
    asking = false;
  });
});

start();
