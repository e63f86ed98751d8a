// The page: which view stands on it, its frame, and its service worker. What a view shows is the view's own affair.
import * as account from "./account.js";
import { h, icon } from "./element.js";
import { choose, isReviewed, speakAsChosen, t } from "./words.js";
import { codeView, askView } from "./views/code.js";
import { enrolView, lostView } from "./views/enrol.js";
import { homeView } from "./views/home.js";
import { languageView, leaveView, moreView } from "./views/more.js";
import { otherPhoneView, stoppedView } from "./views/phones.js";
import { topupView } from "./views/topup.js";
import { tripsView } from "./views/trips.js";
import { noteInstallOffer, problemOf } from "./views/pieces.js";

const VIEWS = {
  home: homeView,
  code: codeView,
  ride: askView,
  topup: topupView,
  trips: tripsView,
  more: moreView,
  leave: leaveView,
  language: languageView,
  lost: lostView,
};
const FOR_ANYBODY = ["language", "lost"];
const main = document.getElementById("main");
let standing = null;

function chosenView() {
  const name = location.hash.slice(1);
  const { account: known } = account.state;
  if (FOR_ANYBODY.includes(name)) return [name, VIEWS[name]];
  if (!known) return ["enrol", enrolView];
  if (known.newer_phone) return ["other-phone", otherPhoneView];
  if (known.phone.state !== "live" && name !== "leave") return ["stopped", stoppedView];
  if (new URLSearchParams(location.search).has("topup")) return ["topup", topupView];
  return VIEWS[name] ? [name, VIEWS[name]] : ["home", homeView];
}

function go(name) {
  const address = name === "home" ? "/rider/" : `/rider/#${name}`;
  if (name === "home" || name === "code") history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  show(true);
}

// Put the chosen view on the page. `moved`: the rider came here just now, so the heading is read out.
function show(moved) {
  const [name, view] = chosenView();
  const focused = document.activeElement && main.contains(document.activeElement) ? document.activeElement.id : "";
  if (standing && standing.leave) standing.leave();
  standing = { name, ...view({ go, choose: chosen, refresh, redraw }) };
  document.body.dataset.view = name;
  document.title = `${standing.title} · ${t("brand")}`;
  main.replaceChildren(...standing.body);
  frame();
  if (moved) {
    scrollTo(0, 0);
    const start = main.querySelector("[data-start]") || main.querySelector("h1") || main;
    start.focus({ preventScroll: true });
  } else if (focused) {
    const again = document.getElementById(focused);
    if (again) again.focus({ preventScroll: true });
  }
}

function frame() {
  const city = account.state.account ? account.state.account.city_name : "";
  document
    .getElementById("top")
    .replaceChildren(
      h(
        "div",
        { class: "brand" },
        h("img", { src: "/static/icon.svg", alt: "", width: 40, height: 40 }),
        h("span", {}, t("brand")),
        city && h("span", { class: "city" }, city),
      ),
      standing.name === "language"
        ? ""
        : h(
            "button",
            { type: "button", class: "plain", id: "language", onclick: () => go("language") },
            icon("language"),
            t("language"),
          ),
    );
  const banner = document.getElementById("banner");
  const offline = account.state.online ? "" : t(account.state.account ? "offline.banner" : "offline.enrol");
  if (banner.textContent !== offline)
    banner.replaceChildren(...(offline ? [h("p", { class: "offline" }, icon("offline"), h("span", {}, offline))] : []));
  document
    .getElementById("foot")
    .replaceChildren(...(isReviewed() ? [] : [h("p", { class: "note" }, t("language.unreviewed"))]));
}

async function chosen(language) {
  await choose(language);
  go("home");
}

async function refresh() {
  try {
    await account.refresh();
    return "";
  } catch (fault) {
    return fault.code === "offline" || fault.code === "signed_out" ? "" : problemOf(fault);
  }
}

// Draw the view that stands anew, but never under a finger: the press would be lost.
function redraw() {
  if (main.querySelector(":active")) setTimeout(redraw, 300);
  else if (standing.follows) show(false);
}

// What changed elsewhere: a view that has nothing half typed on it is drawn again.
function changed() {
  if (!standing) return;
  const [name] = chosenView();
  if (name !== standing.name) show(true);
  else if (standing.follows) redraw();
  else frame();
}

// New files are taken up when the page is opened, before anything is shown of it for long; a page in use is left
// alone. `answered` settles when the ledger has told of the account.
async function keepOffline(answered) {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const opened = standing.name;
  const registration = await workers.register("/rider/sw.js", { scope: "/rider/" });
  if (!registration.waiting) {
    // A page that was on its way while the worker began to hold pages is not held by it.
    if (registration.active && !workers.controller) registration.active.postMessage("hold this page");
    return;
  }
  // Not while the page still asks for anything: a worker that is told to go with requests in its hands stays for half a
  // minute, or goes and leaves them without an answer.
  if (document.readyState !== "complete") await new Promise((go) => addEventListener("load", go, { once: true }));
  await answered;
  if (standing.name !== opened || !registration.waiting) return;
  workers.addEventListener("controllerchange", () => {
    if (["home", "more"].includes(standing.name)) location.reload();
  });
  registration.waiting.postMessage("take over");
}

// "Five minutes ago" grows older by itself.
const AGE_MS = 30_000;

async function start() {
  noteInstallOffer(() => changed());
  await speakAsChosen().catch(() => choose("fa"));
  await account.load();
  account.follow(changed);
  addEventListener("popstate", () => show(true));
  show(account.state.pending !== null);
  document.documentElement.dataset.ready = "yes";
  account.keepFresh();
  setInterval(() => !document.hidden && redraw(), AGE_MS);
  const answered = account.state.account ? refresh() : null;
  keepOffline(answered).catch(() => {}); // without it the page works, only not offline
}

start();
