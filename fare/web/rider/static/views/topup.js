// Topping up: an amount, the bank's page, and back with the answer of the ledger.
import { refresh } from "../account.js";
import { ask, say } from "../api.js";
import { h, icon } from "../element.js";
import { asciiDigits, t, toman } from "../words.js";
import { backTo, button, heading, problemOf, problemPlace, tellProblem, working } from "./pieces.js";

const AMOUNTS_RIAL = [200_000, 500_000, 1_000_000, 2_000_000];
const ASK_AGAIN_MS = 3000;
const ASK_FOR_MS = 90_000;

export function topupView(page) {
  const order = new URLSearchParams(location.search).get("topup");
  return order ? returnedView(page, order) : amountView(page);
}

function amountView({ go }) {
  const problem = problemPlace();
  const pay = (pressed, amount_rial) =>
    working(pressed, problem, async () => {
      const { redirect } = await say("topup", { amount_rial });
      const gateway = new URL(redirect, location.href);
      // https, or this very ledger's sandbox: an answer can name no other kind of address.
      if (gateway.protocol !== "https:" && gateway.origin !== location.origin) throw new Error("not a payment page");
      location.assign(gateway.href);
    });
  const own = h("input", {
    id: "own",
    name: "own",
    type: "text",
    inputmode: "numeric",
    autocomplete: "off",
    dir: "ltr",
    maxlength: 12,
    enterkeyhint: "go",
    "aria-describedby": "own-hint",
  });
  const submit = button("main", "pay-own", t("topup.pay"), null);
  const onsubmit = (event) => {
    event.preventDefault();
    const typed = asciiDigits(own.value).replace(/[\s,.٬،]/g, "");
    if (!/^\d{1,9}$/.test(typed)) return tellProblem(problem, t("error.amount_out_of_range"));
    pay(submit, Number(typed) * 10);
  };
  const choice = (amount_rial) => {
    const one = h(
      "button",
      { type: "button", class: "amount", id: `amount-${amount_rial}`, onclick: () => pay(one, amount_rial) },
      toman(amount_rial),
    );
    return h("li", {}, one);
  };
  return {
    title: t("topup.title"),
    body: [
      backTo(go),
      heading(t("topup.title")),
      h("p", { class: "lead" }, t("topup.lead")),
      problem,
      h("ul", { class: "amounts", "aria-label": t("topup.amounts") }, AMOUNTS_RIAL.map(choice)),
      h(
        "form",
        { class: "stack", novalidate: true, onsubmit },
        h("label", { for: "own" }, t("topup.own"), h("span", { class: "note", id: "own-hint" }, t("topup.own_hint"))),
        own,
        submit,
      ),
    ],
  };
}

function returnedView({ go }, order) {
  const place = h("div", { role: "status" }, h("p", { class: "lead" }, t("topup.asking")));
  const problem = problemPlace();
  const began = Date.now();
  let over = false;
  const home = () => go("home"); // leaves ?topup= behind
  const shown = (drawing, text) =>
    place.replaceChildren(h("p", { class: `outcome ${drawing}` }, icon(drawing), h("span", {}, text)));
  const look = async () => {
    if (over) return;
    try {
      const { state, amount_rial } = await ask(`topup/${encodeURIComponent(order)}`);
      if (over) return;
      if (state === "paid") {
        shown("done", t("topup.paid", { amount: toman(amount_rial) }));
        return refresh().catch(() => {});
      }
      if (state === "failed") return shown("close", t("topup.failed"));
      if (Date.now() - began > ASK_FOR_MS) return shown("offline", t("topup.waiting"));
    } catch (fault) {
      if (fault.code !== "offline" && fault.code !== "busy") return tellProblem(problem, problemOf(fault));
      tellProblem(problem, problemOf(fault));
    }
    setTimeout(look, ASK_AGAIN_MS);
  };
  look();
  return {
    title: t("topup.title"),
    leave: () => (over = true),
    body: [heading(t("topup.title")), place, problem, button("main", "to-home", t("topup.home"), home)],
  };
}
