// The code, on a white screen; and the question before a new ride begins.
import { ride as beginRide, state } from "../account.js";
import { FRAME_MS, showRide } from "../code.js";
import { isKnown, now_ms } from "../clock.js";
import { h, icon, s } from "../element.js";
import { mostPeople, ticketOf } from "../tickets.js";
import { ago, digits, hour, moment, t } from "../words.js";
import { backTo, button, heading, peopleStepper, problemPlace, tellProblem, problemOf } from "./pieces.js";

const RING = 2 * Math.PI * 20;

// Write a new ride down, then show its code.
export async function beginAndShow(people, go) {
  const begun = await beginRide(people);
  if (!begun) throw Object.assign(new Error("no room"), { code: "no_room" });
  go("code");
}

export function codeView({ go }) {
  const { ride, tickets } = state;
  const ticket = ticketOf(ride, tickets, now_ms());
  if (!ticket) return nothingToShow(go);
  const canvas = h("canvas", { class: "code", role: "img", "aria-label": t("code.picture", { n: digits(ride.pax) }) });
  const room = h("div", { class: "code-room" }, canvas);
  const seconds = h("span", { class: "ring-number" });
  const arc = s("circle", { class: "ring-arc", cx: 24, cy: 24, r: 20 });
  arc.style.strokeDasharray = String(RING);
  const problem = problemPlace();
  const stop = showRide(canvas, ticket, ride, {
    room_px: () => room.clientWidth,
    onSecond: (left) => {
      seconds.textContent = digits(left);
      arc.style.strokeDashoffset = String(RING * (1 - (left * 1000) / FRAME_MS));
    },
    onFault: () => tellProblem(problem, t("home.key_gone")),
  });
  return {
    title: t("code.title"),
    leave: stop,
    body: [
      h(
        "div",
        { class: "code-top" },
        h(
          "button",
          { type: "button", class: "plain close", id: "close", onclick: () => go("home") },
          icon("close"),
          t("code.close"),
        ),
        h("h1", { tabindex: "-1" }, t("code.people", { n: digits(ride.pax) })),
      ),
      room,
      problem,
      h(
        "div",
        { class: "alive" },
        h(
          "div",
          { class: "ring", "aria-hidden": "true" },
          s("svg", { viewBox: "0 0 48 48" }, s("circle", { class: "ring-track", cx: 24, cy: 24, r: 20 }), arc),
          seconds,
        ),
        h("p", {}, t("code.hold")),
      ),
      h("p", { class: "hint" }, icon("sun"), h("span", {}, t("code.brightness"))),
      h(
        "p",
        { class: "note" },
        t("code.began", { hour: hour(ride.started_at_ms) }) + " ",
        t("code.offline_works", {
          ago: state.refreshed_at_ms ? ago(state.refreshed_at_ms, Date.now()) : t("ago.never"),
        }),
        isKnown() || state.online ? "" : " " + t("home.clock"),
      ),
      button("second", "new-ride", t("code.new_ride"), () => go("ride")),
    ],
  };
}

function nothingToShow(go) {
  return {
    title: t("code.title"),
    follows: true,
    body: [backTo(go), heading(t("code.title")), h("p", {}, t("code.none"))],
  };
}

// "New ride, or the same again?" A code that was shown before is never paid twice; a new ride is.
export function askView({ go }) {
  const now = now_ms();
  const { ride, tickets } = state;
  const current = ticketOf(ride, tickets, now);
  const most = mostPeople(tickets, now);
  const problem = problemPlace();
  let people = 1;
  return {
    title: t("ask.title"),
    body: [
      backTo(go),
      heading(t("ask.title")),
      current && h("p", { class: "lead" }, t("ask.last", { at: moment(ride.started_at_ms, now), n: digits(ride.pax) })),
      current && button("second tall", "same", t("ask.same"), () => go("code"), "code"),
      current && h("p", { class: "note under" }, t("ask.same_about")),
      most > 0
        ? h(
            "section",
            { class: "ticket", "aria-label": t("code.new_ride") },
            peopleStepper(1, most, digits, (chosen) => (people = chosen)),
            button("main", "begin", t("ask.new"), () =>
              beginAndShow(people, go).catch((fault) => tellProblem(problem, problemOf(fault))),
            ),
            h("p", { class: "note" }, t("ask.new_about")),
          )
        : h("p", { class: "why" }, t("ask.no_room")),
      problem,
    ].filter(Boolean),
  };
}
