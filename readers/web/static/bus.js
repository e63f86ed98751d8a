// The validator's page: lays virtual cards on the reader, shows tickets, switches the uplink, and shows every answer.
// It decides nothing: fare, balance and sentences come from the validator.
"use strict";

(() => {
  const lang = document.documentElement.lang;
  const token = document.querySelector('meta[name="mancard-token"]').content;
  const byId = (id) => document.getElementById(id);
  const signs = { green: "✓", red: "✕", amber: "↻", idle: "" };
  const lamp = byId("lamp");
  let texts = null;
  let shownNumber = 0;
  let listed = "";
  let cutNow = false;
  let inspectingNow = null;

  const digits = (value) =>
    lang === "fa" ? String(value).replace(/\d/g, (d) => "۰۱۲۳۴۵۶۷۸۹"[d]) : String(value);

  const ago = (seconds) => {
    if (seconds === null) return texts.never;
    const steps = [["seconds_ago", 1, 60], ["minutes_ago", 60, 3600], ["hours_ago", 3600, 86400], ["days_ago", 86400, Infinity]];
    const [key, unit] = steps.find(([, , limit]) => seconds < limit);
    return texts[key].replace("{n}", digits(Math.floor(Math.max(0, seconds) / unit)));
  };

  const ask = async (path, body) => {
    const options = body === undefined ? {} : {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Mancard-Token": token },
      body: JSON.stringify(body),
    };
    const separator = path.includes("?") ? "&" : "?";
    const answer = await fetch(`${path}${separator}lang=${lang}`, { cache: "no-store", ...options });
    const document_ = await answer.json();
    if (!answer.ok) throw new Error(texts.not_possible[document_.reason] || document_.error || texts.failed);
    return document_;
  };

  const figure = (name, value, words) => {
    const group = document.createElement("div");
    const term = document.createElement("dt");
    const detail = document.createElement("dd");
    term.textContent = name;
    detail.textContent = value;
    if (words) {
      const spoken = document.createElement("span");
      spoken.className = "words";
      spoken.textContent = words;
      detail.append(spoken);
    }
    group.append(term, detail);
    return group;
  };

  const show = (number, shown) => {
    if (number === shownNumber || !shown) return;
    shownNumber = number;
    lamp.className = `lamp ${shown.lamp}`;
    lamp.dataset.lamp = shown.lamp;
    lamp.dataset.reason = shown.reason;
    lamp.dataset.number = number;
    byId("sign").textContent = signs[shown.lamp];
    byId("answer-title").textContent = shown.title;
    byId("answer-sentence").textContent = shown.sentence;
    byId("answer-note").textContent = shown.note;
    byId("answer-note").hidden = !shown.note;
    const figures = byId("figures");
    figures.replaceChildren(...shown.figures.map((f) => figure(f.name, f.value, f.words)));
    figures.hidden = shown.figures.length === 0;
  };

  const choice = (card, checked) => {
    const label = document.createElement("label");
    label.className = "choice";
    const input = document.createElement("input");
    input.type = "radio";
    input.name = "card";
    input.value = card.name;
    input.checked = checked;
    const text = document.createElement("span");
    text.textContent = card.label;
    label.append(input, text);
    return label;
  };

  const phone = (item) => {
    const row = document.createElement("div");
    row.className = "phone";
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = item.label;
    const button = (text, newRide) => {
      const made = document.createElement("button");
      made.type = "button";
      made.textContent = text;
      made.dataset.phone = item.name;
      made.dataset.newRide = newRide;
      made.setAttribute("aria-label", `${item.label}: ${text}`);
      made.addEventListener("click", () => act("/bus/ticket", { phone: item.name, new_ride: newRide }));
      return made;
    };
    row.append(name, button(texts.show_ticket, false), button(texts.new_ride, true));
    return row;
  };

  const list = (state) => {
    const now = JSON.stringify([state.cards, state.phones, state.has_tray]);
    if (now === listed) return;
    listed = now;
    const cards = byId("cards");
    const chosen = cards.querySelector("input:checked")?.value ?? state.cards[0]?.name;
    cards.querySelectorAll(".choice").forEach((old) => old.remove());
    cards.append(...state.cards.map((card) => choice(card, card.name === chosen)));
    byId("cards-help").textContent =
      !state.has_tray ? texts.cards_none : state.cards.length ? texts.cards_help : texts.cards_empty;
    byId("tap").disabled = state.cards.length === 0;
    byId("phones").replaceChildren(...state.phones.map(phone));
  };

  const item = (text, works) => {
    const line = document.createElement("span");
    line.className = works ? "device" : "device disturbed";
    line.textContent = text;
    return line;
  };

  const devices = (state) => {
    const scanners = state.scanners.map((one) => item(`${one.name}: ${one.works ? texts.works : texts.disturbed}`, one.works));
    byId("scanners").replaceChildren(...(scanners.length ? scanners : [item(texts.scanners_none, true)]));
    const gateway = state.gateway === null ? texts.gateway_none : state.gateway ? texts.works : texts.disturbed;
    byId("gateway").replaceChildren(item(gateway, state.gateway !== false));
  };

  // What lies under the lamp from before belongs to the other mode: it is put away.
  const mode = (state) => {
    if (state.inspecting === inspectingNow) return;
    const changed = inspectingNow !== null;
    inspectingNow = state.inspecting;
    byId("mode").hidden = !inspectingNow;
    byId("inspection-state").textContent = inspectingNow ? texts.inspection_on : texts.inspection_off;
    byId("inspection-state").classList.toggle("inspecting", inspectingNow);
    byId("inspection").textContent = inspectingNow ? texts.inspection_stop : texts.inspection_start;
    byId("inspection").setAttribute("aria-pressed", String(inspectingNow));
    byId("inspection").disabled = state.only_inspects;
    if (!changed && state.number > 0 && Boolean(state.shown?.inspected) === inspectingNow) return;
    shownNumber = state.number;
    lamp.className = "lamp idle";
    lamp.dataset.lamp = "idle";
    byId("sign").textContent = signs.idle;
    byId("answer-title").textContent = inspectingNow ? texts.inspecting_waiting_title : texts.waiting_title;
    byId("answer-sentence").textContent = inspectingNow ? texts.inspecting_waiting : texts.waiting;
    byId("answer-note").hidden = true;
    byId("figures").hidden = true;
  };

  const render = (state) => {
    list(state);
    devices(state);
    mode(state);
    byId("place").textContent = state.line_name;
    cutNow = state.uplink_cut;
    byId("uplink-state").textContent = cutNow ? texts.uplink_off : texts.uplink_on;
    byId("uplink-state").classList.toggle("cut", cutNow);
    byId("uplink").textContent = cutNow ? texts.uplink_restore : texts.uplink_cut;
    byId("uplink").setAttribute("aria-pressed", String(cutNow));
    byId("unsent").textContent = digits(state.unsent);
    byId("unsent").dataset.value = state.unsent;
    byId("last-sync").textContent = ago(state.last_contact_s);
    byId("tariff").textContent = state.tariff || texts.no_bundle;
    byId("bundle").textContent = state.bundle_n === null ? texts.no_bundle : digits(state.bundle_n);
    byId("bundle-age").textContent = state.bundle_n === null ? texts.no_bundle : ago(state.bundle_age_s);
    byId("clock").textContent = state.clock_synchronised ? texts.clock_good : texts.clock_unsure;
    byId("reader").textContent = state.reader;
    byId("vehicle").textContent = state.vehicle;
    byId("problem-text").textContent = state.problem ? `${texts.problem}: ${texts.problems[state.problem_reason]}` : "";
    byId("problem-detail").textContent = state.problem;
    byId("problem").hidden = !state.problem;
    show(state.number, state.shown);
  };

  // What a button could not do stays until the next button; only a page that is out of touch clears itself.
  let outOfTouch = false;
  const fail = (message) => {
    outOfTouch = false;
    byId("failed").textContent = message;
    byId("failed").hidden = !message;
  };

  const act = async (path, body) => {
    lamp.classList.add("busy");
    fail("");
    try {
      render(await ask(path, body));
    } catch (fault) {
      fail(fault instanceof TypeError ? texts.failed : fault.message);
    } finally {
      lamp.classList.remove("busy");
    }
  };

  byId("card-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = byId("cards").querySelector("input:checked");
    if (chosen) act("/bus/tap", { card: chosen.value });
  });
  byId("code-form").addEventListener("submit", (event) => {
    event.preventDefault();
    act("/bus/ticket", { text: byId("code").value });
  });
  byId("picture-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const [file] = byId("picture").files;
    if (!file) return fail(texts.not_possible.no_picture);
    const url = await new Promise((resolve) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(reader.result));
      reader.readAsDataURL(file);
    });
    act("/bus/ticket", { picture: url.slice(url.indexOf(",") + 1) });
  });
  byId("inspection").addEventListener("click", () => act("/bus/inspect", { on: !inspectingNow }));
  byId("uplink").addEventListener("click", () => act("/bus/uplink", { connected: cutNow }));

  const watch = async () => {
    try {
      render(await ask("/bus/state"));
      if (outOfTouch) fail("");
    } catch (fault) {
      fail(texts ? texts.failed : "");
      outOfTouch = true;
    }
    setTimeout(watch, 1500);
  };

  (async () => {
    texts = await (await fetch(`/static/texts/${lang}.json`)).json();
    watch();
  })();
})();
