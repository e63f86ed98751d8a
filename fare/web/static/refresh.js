// Keeps the figures of a day fresh: asks for the fragment every few seconds and swaps in the parts that changed,
// so that a selection, an opened list or the focus in another part stays where it is.
"use strict";
(() => {
  const figures = document.getElementById("figures");
  const status = document.querySelector(".connection");
  if (!figures || !status) return;
  const EVERY_MS = 4000;
  const partsOf = (root) => [...root.children].map((part) => part.outerHTML);
  let shown = partsOf(figures);

  const tell = (text) => {
    status.hidden = text === "";
    if (status.textContent !== text) status.textContent = text;
  };
  const swap = (html) => {
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const parts = partsOf(fresh.content);
    const arrived = [...fresh.content.children];
    if (parts.length !== shown.length) figures.replaceChildren(...arrived);
    else
      [...figures.children].forEach((part, place) => {
        if (parts[place] === shown[place]) return;
        const closed = [...part.querySelectorAll("details:not([open])")].map((one) => one.id);
        part.replaceWith(arrived[place]);
        for (const id of closed) document.getElementById(id)?.removeAttribute("open");
      });
    shown = parts;
  };
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(figures.dataset.refresh, { redirect: "error", signal: AbortSignal.timeout(EVERY_MS * 2) });
      if (answer.status === 401) {
        tell(status.dataset.ended);
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      swap(await answer.text());
      tell("");
    } catch {
      tell(status.dataset.stale);
    }
  };
  const loop = async () => {
    await refresh();
    setTimeout(loop, EVERY_MS);
  };
  setTimeout(loop, EVERY_MS);
})();
