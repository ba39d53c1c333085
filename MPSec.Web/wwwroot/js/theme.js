// Sets the theme before the first paint; loaded without defer in the head, because the content security policy forbids inline scripts.
(() => {
  const key = "mpsec-theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const choice = () => {
    try { return localStorage.getItem(key) ?? "auto"; } catch { return "auto"; }
  };
  const apply = () => {
    const root = document.documentElement;
    root.dataset.theme = choice() === "auto" ? (dark.matches ? "dark" : "light") : choice();
    root.dataset.themeChoice = choice();
    document.dispatchEvent(new CustomEvent("mpsec:theme"));
  };
  dark.addEventListener("change", apply);
  addEventListener("storage", e => e.key === key && apply());
  document.addEventListener("click", e => {
    const button = e.target.closest?.("[data-theme-set]");
    if (!button) return;
    try { localStorage.setItem(key, button.dataset.themeSet); } catch { /* private mode: for this page only */ }
    apply();
  });
  apply();
})();
