// The shell works without the server connection: menus, the drawer of small screens, copy buttons and the age of data live here.
const root = document.documentElement;

document.addEventListener("click", e => {
  const target = e.target.closest?.("button, a, summary");
  if (target?.matches("[data-drawer-toggle]")) setDrawer(!root.classList.contains("drawer-open"));
  else if (target?.closest(".drawer") || e.target.closest?.(".drawer-scrim")) setDrawer(false);
  // A choice closes its menu, and so does a click anywhere else.
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(e.target) || (target && target.tagName !== "SUMMARY" && menu.contains(target))) menu.open = false;
  }
  if (target?.dataset.copy !== undefined) copy(target);
});

document.addEventListener("keydown", e => {
  if (e.key === "Enter" && e.target.closest?.("[data-no-enter]")) {
    e.preventDefault();
    e.stopPropagation();
  }
  if (e.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (root.classList.contains("drawer-open")) {
    setDrawer(false);
    document.querySelector("[data-drawer-toggle]")?.focus();
  }
}, true);

function setDrawer(open) {
  root.classList.toggle("drawer-open", open);
  document.querySelector("[data-drawer-toggle]")?.setAttribute("aria-expanded", String(open));
  if (open) document.querySelector(".drawer a")?.focus();
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Clipboard access needs HTTPS or localhost; a selected field works everywhere.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "off-screen";
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
}

// Age of data. The server writes the age at rendering and a sequence; from there the browser counts, so that the age goes on when the server does not.
const seen = new WeakMap();
function showAges() {
  for (const element of document.querySelectorAll("[data-age]")) {
    const { age, ageSeq, ageText, ageUnits, ageStale } = element.dataset;
    let entry = seen.get(element);
    if (entry?.seq !== ageSeq) seen.set(element, entry = { seq: ageSeq, at: performance.now() - Number(age) });
    const milliseconds = performance.now() - entry.at;
    const text = ageText.replace("{0}", format(milliseconds / 1000, ageUnits.split("|")));
    const label = element.querySelector("[data-age-label]");
    if (label && label.textContent !== text) label.textContent = text;
    element.classList.toggle("stale", milliseconds > Number(ageStale));
  }
}

function format(seconds, [s, min, h, d]) {
  const language = root.lang || "en";
  if (seconds < 10) return seconds.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) + s;
  if (seconds < 60) return Math.floor(seconds) + s;
  if (seconds < 3600) return Math.floor(seconds / 60) + min;
  return seconds < 86400 ? Math.floor(seconds / 3600) + h : Math.floor(seconds / 86400) + d;
}

setInterval(showAges, 200);

// A gateway changes networks: try again quickly at first and never give up by itself.
if (globalThis.Blazor) {
  Blazor.start({
    circuit: {
      reconnectionOptions: {
        maxRetries: 100000,
        retryIntervalMilliseconds: previous => previous < 3 ? 500 : previous < 15 ? 2000 : 5000,
      },
    },
  });
}
