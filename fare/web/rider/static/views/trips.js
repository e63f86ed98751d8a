// The rider's trips, the newest first, twenty at a time.
import { ask } from "../api.js";
import { now_ms } from "../clock.js";
import { h } from "../element.js";
import { digits, moment, spoken, t, toman } from "../words.js";
import { backTo, button, heading, problemPlace, tellProblem, problemOf, working } from "./pieces.js";

export function tripsView({ go }) {
  const list = h("ol", { class: "trips", "aria-busy": "true" });
  const problem = problemPlace();
  const empty = h("p", { class: "lead", role: "status" }, t("trips.loading"));
  let next = null;
  const more = button("second", "more-trips", t("trips.more"), () => working(more, problem, load));
  more.hidden = true;
  const load = async () => {
    const told = await ask(next === null ? "rides" : `rides?before=${encodeURIComponent(next)}`);
    list.append(...told.rides.map(trip));
    list.removeAttribute("aria-busy");
    next = told.next;
    more.hidden = next === null;
    empty.textContent = list.children.length ? "" : t("trips.none");
  };
  load().catch((fault) => {
    empty.textContent = "";
    tellProblem(problem, fault.code === "offline" ? t("trips.offline") : problemOf(fault));
  });
  return { title: t("trips.title"), body: [backTo(go), heading(t("trips.title")), problem, empty, list, more] };
}

// The tariff's reasons are told in Persian or English: other languages read the Persian ones.
function cameBack(ride) {
  const why = ride.adjusted_why[spoken()] ?? ride.adjusted_why.fa ?? "";
  return `${t("trips.back", { amount: toman(-ride.adjusted_rial) })} ${why}`.trim();
}

function trip(ride) {
  return h(
    "li",
    {},
    h(
      "div",
      { class: "trip-line" },
      h("strong", {}, t("trips.line", { name: ride.line_name })),
      h("strong", { class: "trip-fare" }, toman(ride.fare_rial)),
    ),
    h(
      "p",
      { class: "note" },
      moment(ride.at_ms, now_ms()) + (ride.pax > 1 ? ` · ${t("trips.people", { n: digits(ride.pax) })}` : ""),
    ),
    ride.adjusted_rial < 0 && h("p", { class: "note trip-back" }, cameBack(ride)),
    ride.disputed && h("p", { class: "notice" }, t("trips.disputed")),
  );
}
