// What is seldom needed: the language, a lost phone, leaving this phone.
import { leave } from "../account.js";
import { h, icon } from "../element.js";
import { LANGUAGES, spoken, t } from "../words.js";
import { backTo, button, heading, problemPlace, working } from "./pieces.js";

export function moreView({ go }) {
  const door = (name, drawing, label) =>
    h(
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
  return {
    title: t("more.title"),
    body: [
      backTo(go),
      heading(t("more.title")),
      h(
        "ul",
        { class: "doors" },
        door("language", "language", t("language.choose")),
        door("lost", "lost", t("lost.title")),
        door("leave", "leave", t("leave.title")),
      ),
    ],
  };
}

export function languageView({ go, choose }) {
  const problem = problemPlace();
  const choice = ([language, name]) => {
    const one = h(
      "button",
      {
        type: "button",
        class: "amount",
        id: `language-${language}`,
        lang: language,
        "aria-pressed": String(language === spoken()),
        onclick: () => working(one, problem, () => choose(language)),
      },
      name,
    );
    return h("li", {}, one);
  };
  return {
    title: t("language.choose"),
    body: [backTo(go), heading(t("language.choose")), problem, h("ul", { class: "amounts" }, LANGUAGES.map(choice))],
  };
}

export function leaveView({ go }) {
  const problem = problemPlace();
  const done = button("danger", "leave", t("leave.do"), () =>
    working(done, problem, async () => {
      await leave();
      go("home");
    }),
  );
  return {
    title: t("leave.title"),
    body: [backTo(go, "more"), heading(t("leave.title")), h("p", { class: "lead" }, t("leave.about")), problem, done],
  };
}
