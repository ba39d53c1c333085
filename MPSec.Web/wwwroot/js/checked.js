// A change that must be confirmed: proves that a new connection gets through, keeps the change, counts down. Works without the circuit, which may hang on a way that is gone.
const settle = 1000, patience = 15000, between = 3000;
let deadline = null;

// While a change waits the server ends every connection after its answer, so a request that met an old one (409) is repeated over a new one.
export async function confirm(id) {
  const until = performance.now() + patience;
  for (;;) {
    try {
      const answer = await ask(`api/v1/changes/${encodeURIComponent(id)}/confirm`, "POST", until - performance.now());
      if (answer.ok) return true;
      if (answer.status !== 409 || !(await answer.text()).includes("new connection")) return false;
    } catch {
      // Not reached; the next try may be.
    }
    if (performance.now() > until) return false;
    await new Promise(done => setTimeout(done, 100));
  }
}

// Runs the countdown of one dialog until the returned object is stopped.
export function count(root, remaining, total) {
  const id = root.dataset.change;
  const end = performance.now() + remaining;
  deadline = end;
  const part = name => root.querySelector(`[data-${name}]`);
  const clock = part("clock");
  clock.textContent = clock.dataset.clock.replace("{0}", new Date(Date.now() + remaining).toLocaleTimeString(document.documentElement.lang || "en"));
  let reached = null, stopped = false, told = null;

  const show = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    part("left").textContent = left;
    const ring = part("ring"), length = 2 * Math.PI * Number(ring.getAttribute("r"));
    ring.setAttribute("stroke-dasharray", `${(length * Math.max(0, end - performance.now()) / total).toFixed(1)} ${length.toFixed(1)}`);
    if ([30, 10, 5].includes(left) && told !== left) {
      told = left;
      const live = part("live");
      live.textContent = live.dataset.live.replace("{0}", left);
    }
    if (reached !== null) {
      const ok = part("reached");
      ok.querySelector("span").textContent = ok.dataset.reached.replace("{0}", Math.max(0, Math.round((performance.now() - reached) / 1000)));
    }
  };

  const probe = async () => {
    try {
      await ask("healthz/live", "GET", between);
      reached = performance.now();
      root.dataset.probe = "ok";
    } catch {
      root.dataset.probe = "bad";
    }
    show();
    if (!stopped) probing = setTimeout(probe, between);
  };

  const keep = async e => {
    const button = e.target.closest("[data-keep]");
    if (!button) return;
    button.disabled = true;
    root.dataset.problem = await confirm(id) ? "" : "yes";
    button.disabled = false;
  };

  root.addEventListener("click", keep);
  let probing = setTimeout(probe, settle);
  const ticking = setInterval(show, 250);
  show();
  if (root.matches("dialog") && !root.open) root.showModal();
  part("revert")?.focus();
  return {
    stop() {
      stopped = true;
      if (deadline === end) deadline = null;
      clearTimeout(probing);
      clearInterval(ticking);
      root.removeEventListener("click", keep);
      if (root.matches("dialog")) root.close();
    },
  };
}

// Escape closes the dialog; the bar above the page opens it again.
document.addEventListener("click", e => {
  const dialog = e.target.closest?.("[data-decide]") && document.querySelector("dialog.keep");
  if (dialog && !dialog.open) dialog.showModal();
});

// The dialog about a lost connection says when the way back opens by itself.
setInterval(() => {
  const line = document.querySelector("[data-rollback]");
  if (!line) return;
  line.hidden = deadline === null;
  if (deadline !== null) line.textContent = line.dataset.rollback.replace("{0}", Math.max(0, Math.ceil((deadline - performance.now()) / 1000)));
}, 500);

function ask(address, method, limit) {
  return fetch(address, { method, cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(Math.max(100, limit)) });
}
