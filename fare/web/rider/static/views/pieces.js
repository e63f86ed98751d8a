// Pieces that several views are built of.
import { h, icon } from "../element.js";
import { sentence, t } from "../words.js";

export const heading = (text) => h("h1", { tabindex: "-1" }, text);
export const backTo = (go, name = "home") =>
  h(
    "button",
    { type: "button", class: "plain back", id: "back", onclick: () => go(name) },
    icon("back", "turns"),
    t("back"),
  );

export const button = (kind, id, label, onclick, drawing = null) =>
  h(
    "button",
    { type: onclick ? "button" : "submit", class: kind, id, onclick },
    drawing && icon(drawing),
    h("span", {}, label),
  );

// A place for one sentence on what went wrong; it is read out when it is filled.
export function problemPlace() {
  return h("div", { class: "problem-place", role: "alert" });
}

export function tellProblem(place, text) {
  place.replaceChildren(...(text ? [h("p", { class: "problem" }, text)] : []));
  if (text) place.scrollIntoView({ block: "nearest" });
}

// Do `work` once at a time behind a button, and tell what went wrong in a sentence.
export async function working(pressed, place, work) {
  if (pressed.getAttribute("aria-disabled") === "true") return;
  pressed.setAttribute("aria-disabled", "true");
  tellProblem(place, "");
  try {
    await work();
  } catch (fault) {
    tellProblem(place, problemOf(fault));
  } finally {
    pressed.removeAttribute("aria-disabled");
  }
}

export function problemOf(fault) {
  return fault && fault.code ? sentence(fault.code, fault.retry_after_s) : sentence("unexpected");
}

export function isStandalone() {
  return matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;
}

// The browser's own offer to install the page, kept until the rider wants it.
let installOffer = null;

export function noteInstallOffer(changed) {
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    installOffer = event;
    changed();
  });
  addEventListener("appinstalled", () => {
    installOffer = null;
    changed();
  });
}

export const canInstall = () => installOffer !== null;

export async function install() {
  const offer = installOffer;
  installOffer = null;
  await offer.prompt();
}

// Choose for how many people: two large buttons and the number between them; `people` to begin with.
export function peopleStepper(people, most, digits, onChange) {
  const shown = h("output", { class: "people-number", id: "people" });
  const fewer = h(
    "button",
    {
      type: "button",
      class: "step",
      id: "fewer",
      "aria-label": t("people.fewer"),
      "aria-describedby": "people",
      onclick: () => set(people - 1),
    },
    icon("take"),
  );
  const more = h(
    "button",
    {
      type: "button",
      class: "step",
      id: "more-people",
      "aria-label": t("people.more"),
      "aria-describedby": "people",
      onclick: () => set(people + 1),
    },
    icon("add"),
  );
  const set = (wanted) => {
    people = Math.max(1, Math.min(most, wanted));
    shown.replaceChildren(h("strong", {}, digits(people)), " ", t(people === 1 ? "people.one" : "people.unit"));
    // Stays in the keyboard's walk: a button that vanishes under a finger is worse than one that does nothing.
    fewer.setAttribute("aria-disabled", String(people <= 1));
    more.setAttribute("aria-disabled", String(people >= most));
    onChange(people);
  };
  set(people);
  return h(
    "div",
    { class: "stepper", role: "group", "aria-label": t("people.label") },
    h("span", { class: "stepper-label" }, t("people.label")),
    h("div", { class: "stepper-row" }, fewer, shown, more),
  );
}
