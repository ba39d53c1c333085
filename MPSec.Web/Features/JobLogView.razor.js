// Scrolls the log to its end, and tells when the reader scrolls away from it.
const nearEnd = box => box.scrollHeight - box.scrollTop - box.clientHeight < 60;

export function watch(box, view) {
  const left = () => setTimeout(() => { if (!nearEnd(box)) view.invokeMethodAsync("StopFollowing").catch(() => { }); }, 60);
  for (const kind of ["wheel", "touchmove"]) box.addEventListener(kind, left, { passive: true });
  box.addEventListener("keydown", e => { if (["ArrowUp", "PageUp", "Home"].includes(e.key)) left(); });
}

// Twice: the list fills in what has come into sight only after it has been scrolled to.
export function toEnd(box) {
  const jump = () => { box.scrollTop = box.scrollHeight; };
  requestAnimationFrame(() => { jump(); requestAnimationFrame(jump); });
}
