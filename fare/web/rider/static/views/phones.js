// When another phone took this number, and when this one may not ride any more.
import { answerForNewerPhone, leave, state } from "../account.js";
import { now_ms } from "../clock.js";
import { h } from "../element.js";
import { moment, sentence, t } from "../words.js";
import { button, heading, problemPlace, working } from "./pieces.js";

export function otherPhoneView({ go }) {
  const problem = problemPlace();
  const answer = (pressed, mine) =>
    working(pressed, problem, async () => {
      await answerForNewerPhone(mine);
      go("home");
    });
  const yes = button("second tall", "mine", t("other.mine"), () => answer(yes, true));
  const no = button("danger tall", "not-me", t("other.not_me"), () => answer(no, false));
  const at = moment(state.account.newer_phone.enrolled_at_ms, now_ms());
  return {
    title: t("other.title"),
    body: [
      heading(t("other.title")),
      h("p", { class: "lead" }, t("other.about", { at })),
      problem,
      no,
      h("p", { class: "note under" }, t("other.not_me_about")),
      yes,
      h("p", { class: "note under" }, t("other.mine_about")),
    ],
  };
}

export function stoppedView({ go }) {
  return {
    title: t("phones.stopped"),
    follows: true,
    body: [
      heading(t("phones.stopped")),
      h("p", { class: "lead" }, sentence(`phone_${state.account.phone.state}`)),
      ...enrolAgain(go),
    ],
  };
}

// One step: this phone's session is closed, and the form for the mobile number is there.
export function enrolAgain(go) {
  const problem = problemPlace();
  const pressed = button("main", "enrol-again", t("phones.enrol_again"), () =>
    working(pressed, problem, async () => {
      await leave();
      go("home");
    }),
  );
  return [problem, pressed];
}
