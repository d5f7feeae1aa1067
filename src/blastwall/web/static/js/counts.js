// How many decisions wait for this person, beside the place that shows them.

import { get, live } from "./api.js";

let asked = 0;

/**
 * Return what waits: approvals and asked grants. Where one of the two cannot be read, the other is still shown, and
 * `failed` says why.
 */
export async function mine(signal) {
  const [approvals, grants] = await Promise.allSettled([
    get("/approvals", { state: "waiting", limit: 200 }, signal),
    get("/grants", { state: "asked", limit: 200 }, signal),
  ]);
  if (approvals.status === "rejected" && grants.status === "rejected") throw approvals.reason;
  return { approvals: approvals.value?.items ?? [], grants: grants.value?.items ?? [], failed: approvals.reason ?? grants.reason ?? null };
}

/** Keep the number in the navigation current. */
export function waitingCount(app) {
  const update = async () => {
    const turn = ++asked;
    try {
      const { approvals, grants } = await mine();
      if (turn !== asked) return;
      const count = [...approvals, ...grants].filter((one) => one.can_decide).length;
      for (const badge of app.querySelectorAll("[data-waiting]")) {
        badge.hidden = count === 0;
        badge.textContent = count > 99 ? "99+" : String(count);
        badge.title = `${count} wait for you`;
      }
    } catch {
      // The page itself says what failed.
    }
  };
  let soon = 0;
  const later = () => { clearTimeout(soon); soon = setTimeout(update, 150); };
  for (const kind of ["approval", "grant", "again"]) live.addEventListener(kind, later);
  update();
}
