// Enrolling this phone, and reporting one lost: a mobile number, then the code that was sent to it.
import { dropPending, enrol, reportLost, state, wantCode } from "../account.js";
import { h, icon } from "../element.js";
import { outlivesThePage } from "../store.js";
import { asciiDigits, digits, t } from "../words.js";
import { backTo, button, heading, problemPlace, tellProblem, working } from "./pieces.js";

export function enrolView(page) {
  return state.pending && state.pending.purpose === "enrol" ? codeForm(page, "enrol") : mobileForm(page, "enrol");
}

export function lostView(page) {
  return state.pending && state.pending.purpose === "lost" ? codeForm(page, "lost") : mobileForm(page, "lost");
}

const stay = ({ go }, purpose) => go(purpose === "lost" ? "lost" : "home");

// The reload is the proof: a key that is there afterwards was truly kept. Each code comes with a key of its own.
function awaitCode(page, purpose) {
  if (purpose === "enrol" && outlivesThePage()) location.reload();
  else stay(page, purpose);
}

function mobileForm(page, purpose) {
  const problem = problemPlace();
  const input = numberField("mobile", { autocomplete: "tel-national", inputmode: "tel", maxlength: 20 });
  const submit = button("main", "send", t("enrol.send"), null);
  const send = () =>
    working(submit, problem, async () => {
      const mobile = asciiDigits(input.value).replace(/[\s-]/g, "");
      if (!mobile) return said(input, problem, t("error.invalid_mobile"));
      await wantCode(mobile, purpose);
      awaitCode(page, purpose);
    });
  if (purpose === "enrol" && state.wasSignedOut) tellProblem(problem, t("error.signed_out"));
  return {
    title: t(`${purpose}.title`),
    body: [
      purpose === "lost" && backTo(page.go),
      h(
        "div",
        { class: purpose === "enrol" ? "welcome" : "opening" },
        heading(t(`${purpose}.title`)),
        purpose === "enrol" && icon("code"),
        h("p", { class: "lead" }, t(`${purpose}.lead`)),
      ),
      form(send, problem, label("mobile", t("enrol.mobile"), t("enrol.mobile_hint")), input, submit),
      purpose === "enrol" &&
        h(
          "p",
          { class: "below" },
          button("plain", "to-lost", t("lost.title"), () => page.go("lost"), "lost"),
        ),
    ].filter(Boolean),
  };
}

function codeForm(page, purpose) {
  const { mobile, sandbox, again_at_ms } = state.pending;
  const problem = problemPlace();
  const input = numberField("code", {
    autocomplete: "one-time-code",
    inputmode: "numeric",
    maxlength: 12,
    "data-start": true,
  });
  input.classList.add("one-time");
  const submit = button("main", "enter", t(purpose === "lost" ? "lost.do" : "code_form.enter"), null);
  const send = () =>
    working(submit, problem, async () => {
      const code = asciiDigits(input.value).replace(/\D/g, "");
      if (code.length !== 6) return said(input, problem, t("code_form.six"));
      if (purpose === "enrol") {
        await enrol(code);
        return page.go("home");
      }
      const denied = await reportLost(code);
      reported(denied, page);
    });
  const again = button("plain", "again", "", () =>
    working(again, problem, async () => {
      if (Date.now() < again_at_ms) return;
      await wantCode(mobile, purpose);
      awaitCode(page, purpose);
    }),
  );
  const countdown = () => {
    const left_s = Math.ceil((again_at_ms - Date.now()) / 1000);
    again.textContent = left_s > 0 ? t("code_form.again_in", { n: digits(left_s) }) : t("code_form.again");
    again.setAttribute("aria-disabled", String(left_s > 0));
  };
  countdown();
  const pulse = setInterval(countdown, 1000);
  const other = async () => {
    await dropPending();
    stay(page, purpose);
  };
  return {
    title: t("code_form.title"),
    leave: () => clearInterval(pulse),
    body: [
      heading(t("code_form.title")),
      h("p", { class: "lead" }, ...aroundNumber(t("code_form.lead", { mobile: "\u0000" }), mobile)),
      sandbox && h("p", { class: "notice" }, t("code_form.sandbox")),
      form(send, problem, label("code", t("code_form.label"), t("code_form.hint")), input, submit),
      h("div", { class: "row below" }, again, button("plain", "other-number", t("code_form.other_number"), other)),
    ].filter(Boolean),
  };
}

function reported(denied, page) {
  const body = [
    heading(t("lost.done")),
    h("p", { class: "lead" }, t("lost.done_about", { n: digits(denied) })),
    button("main", "to-start", t("lost.on"), () => page.go("home")),
  ];
  document.getElementById("main").replaceChildren(...body);
  body[0].focus();
}

const aroundNumber = (text, mobile) =>
  text.split("\u0000").flatMap((part, place) => (place ? [h("bdi", { dir: "ltr" }, digits(mobile)), part] : [part]));

function numberField(id, attributes) {
  return h("input", {
    id,
    name: id,
    type: "text",
    dir: "ltr",
    required: true,
    enterkeyhint: "go",
    "aria-describedby": `${id}-hint`,
    ...attributes,
  });
}

function label(id, text, hint) {
  return h("label", { for: id }, text, h("span", { class: "note", id: `${id}-hint` }, hint));
}

function form(send, problem, ...parts) {
  const onsubmit = (event) => {
    event.preventDefault();
    send();
  };
  return h("form", { class: "stack", novalidate: true, onsubmit }, parts[0], parts[1], problem, ...parts.slice(2));
}

function said(input, problem, text) {
  input.setAttribute("aria-invalid", "true");
  tellProblem(problem, text);
  input.focus();
}
