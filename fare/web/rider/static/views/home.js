// Home: the code in one press, and how the rider's money stands.
import { state } from "../account.js";
import { isKnown, now_ms } from "../clock.js";
import { h, icon } from "../element.js";
import { change, get } from "../store.js";
import { SAME_RIDE_MS, isLive, mostPeople, ridesLeft, ticketOf } from "../tickets.js";
import { ago, digits, hour, moment, sentence, spoken, t, toman } from "../words.js";
import { beginAndShow } from "./code.js";
import { enrolAgain } from "./phones.js";
import {
  button,
  canInstall,
  install,
  isStandalone,
  peopleStepper,
  problemOf,
  problemPlace,
  tellProblem,
} from "./pieces.js";

let installTold = null;
// Kept while the view is drawn anew under the rider's fingers.
let people = 1;
let trouble = "";
get("install_told").then((told) => (installTold = told === true));

export function homeView({ go, refresh, redraw }) {
  const now = now_ms();
  const problem = problemPlace();
  const refreshHere = async () => {
    trouble = await refresh();
    redraw();
  };
  tellProblem(problem, trouble);
  return {
    title: t("home.title"),
    follows: true,
    body: [
      h("h1", { tabindex: "-1", class: "unseen" }, t("home.title")),
      money(),
      problem,
      ...ticketPanel(go, problem, now),
      ...notices(),
      facts(now, refreshHere),
      h(
        "nav",
        { "aria-label": t("home.nav") },
        h(
          "ul",
          { class: "doors" },
          door(go, "topup", "add", t("topup.title")),
          door(go, "trips", "trips", t("trips.title")),
          door(go, "more", "more", t("more.title")),
        ),
      ),
      ...installCard(),
    ],
  };
}

function money() {
  const { balance_rial, held_rial, balance_words } = state.account;
  return h(
    "section",
    { class: "money", "aria-label": t("home.balance") },
    h("h2", {}, t("home.balance")),
    h("p", { class: "sum", "data-figure": "balance" }, toman(balance_rial + held_rial)),
    h("p", { class: "in-words" }, balance_words[spoken()]),
    held_rial > 0 && h("p", { class: "held" }, t("home.held", { amount: toman(held_rial) })),
  );
}

function ticketPanel(go, problem, now) {
  const { ride, tickets, account } = state;
  const most = mostPeople(tickets, now);
  const current = ticketOf(ride, tickets, now);
  if (current && isSameRide(ride))
    return [
      h(
        "section",
        { class: "ticket", "aria-label": t("home.ticket") },
        h(
          "p",
          { class: "ride-now" },
          icon("done"),
          h("span", {}, t("home.ride_now", { hour: hour(ride.started_at_ms), n: digits(ride.pax) })),
        ),
        button("main", "show", t("home.show"), () => go(isSameRide(ride) ? "code" : "ride"), "code"),
        button("second", "new-ride", t("code.new_ride"), () => go("ride")),
      ),
    ];
  if (!most && !current)
    return [h("section", { class: "ticket", "aria-label": t("home.ticket") }, ...noTicket(account, go))];
  const begin = async () => {
    if (current) return go("ride");
    try {
      await beginAndShow(people, go);
      people = 1;
      trouble = "";
    } catch (fault) {
      tellProblem(problem, (trouble = problemOf(fault)));
    }
  };
  return [
    h(
      "section",
      { class: "ticket", "aria-label": t("home.ticket") },
      !current && peopleStepper(people, most, digits, (chosen) => (people = chosen)),
      button("main", "show", t("home.show"), begin, "code"),
    ),
  ];
}

const isSameRide = (ride) => now_ms() - ride.started_at_ms < SAME_RIDE_MS;

// Why there is nothing to show, and what helps.
function noTicket(account, go) {
  const reason = account.no_ticket_reason || "not_due";
  const keyGone = account.ticket && !state.tickets.some((ticket) => ticket.cti === account.ticket.cti);
  if (!state.online) return [h("p", { class: "why" }, t("home.none_offline"))];
  if (keyGone && reason === "not_due") return [h("p", { class: "why" }, t("home.key_gone")), ...enrolAgain(go)];
  if (reason === "not_due") return [h("p", { class: "why" }, t("home.used_up"))];
  return [
    h("p", { class: "why" }, sentence(reason)),
    reason === "short_of_funds" && button("main", "to-topup", t("topup.title"), () => go("topup"), "add"),
  ];
}

function notices() {
  const { phone, ticket, no_ticket_reason } = state.account;
  const told = [];
  // The ledger takes the ticket back and cannot give another: buses that have heard of it refuse what is left of it.
  if (ticket && ticket.reissue && no_ticket_reason)
    told.push(h("p", { class: "why", id: "taken-back" }, sentence(no_ticket_reason)));
  if (!phone.confirmed && phone.day_limit_rial !== null)
    told.push(h("p", { class: "notice" }, t("home.unconfirmed", { amount: toman(phone.day_limit_rial) })));
  if (!isKnown() && !state.online) told.push(h("p", { class: "notice" }, t("home.clock")));
  return told;
}

function facts(now, refreshHere) {
  const live = state.tickets.filter((ticket) => isLive(ticket, now));
  const left = live.reduce((sum, ticket) => sum + ridesLeft(ticket), 0);
  const until = Math.max(0, ...live.filter((ticket) => ridesLeft(ticket) > 0).map((ticket) => ticket.expires_at_ms));
  const row = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h(
    "section",
    { class: "facts", "aria-label": t("home.facts") },
    h(
      "dl",
      {},
      row(t("home.rides_left"), digits(left)),
      until > 0 && row(t("home.valid_until"), moment(until, now)),
      row(t("home.refreshed"), state.refreshed_at_ms ? ago(state.refreshed_at_ms, Date.now()) : t("ago.never")),
    ),
    state.online && button("plain", "refresh", t("home.refresh"), refreshHere),
  );
}

function door(go, name, drawing, label) {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", id: `to-${name}-door`, onclick: () => go(name) },
      icon(drawing),
      h("span", {}, label),
      icon("on", "turns end"),
    ),
  );
}

// Asked once, kindly: a browser may forget a page that is not installed.
function installCard() {
  const byHand = /iPhone|iPad/.test(navigator.userAgent);
  if (isStandalone() || installTold !== false || !(canInstall() || byHand)) return [];
  const told = () => {
    installTold = true;
    change([], () => ({ install_told: true }));
    card.remove();
  };
  const card = h(
    "section",
    { class: "card", "aria-label": t("install.title") },
    h("h2", {}, t("install.title")),
    h("p", {}, t(byHand ? "install.by_hand" : "install.about")),
    h(
      "div",
      { class: "row" },
      !byHand && button("second", "install", t("install.do"), () => install().then(told), "install"),
      button("plain", "install-later", t("install.later"), told),
    ),
  );
  return [card];
}
