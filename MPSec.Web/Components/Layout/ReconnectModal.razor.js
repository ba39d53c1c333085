// What the page says while the server cannot be reached. Blazor sets the classes of the dialog and raises the event.
const dialog = document.getElementById("components-reconnect-modal");
const retryWhenSeen = () => document.visibilityState === "visible" && retry();

dialog?.addEventListener("components-reconnect-state-changed", ({ detail: { state } }) => {
  if (state === "show") {
    if (!dialog.open) dialog.showModal();
  } else if (state === "hide") {
    dialog.close();
  } else if (state === "failed") {
    document.addEventListener("visibilitychange", retryWhenSeen);
  } else if (state === "rejected") {
    // The server answers but no longer knows this page: the address bar holds all its state.
    location.reload();
  }
});
dialog?.addEventListener("cancel", e => e.preventDefault());
document.getElementById("components-reconnect-button")?.addEventListener("click", retry);
document.getElementById("components-resume-button")?.addEventListener("click", resume);

async function retry() {
  document.removeEventListener("visibilitychange", retryWhenSeen);
  try {
    if (!await Blazor.reconnect() && !await Blazor.resumeCircuit()) location.reload();
    else dialog.close();
  } catch {
    document.addEventListener("visibilitychange", retryWhenSeen);
  }
}

async function resume() {
  try {
    if (!await Blazor.resumeCircuit()) location.reload();
  } catch {
    dialog.classList.replace("components-reconnect-paused", "components-reconnect-resume-failed");
  }
}
