// Draws a replay: one step at a time, forwards and back. Words and data come from Python (widget.py); what was recorded is
// shown as text only. The trait `replay` may be saved; the values of a recording that reveals come as a message.

const LONG = 200; // characters of a value
const MANY = 10; // parameters

const FOCUSABLE = ["a", "button", "input", "section", "summary"];

const SVG = "http://www.w3.org/2000/svg";
const DRAWINGS = {
  // Open to whoever carries it, and sealed
  front: ["M1 1h22v14H1z", "M5 5.5h8M5 8.5h8M5 11.5h5", "M16.5 4.5h3.5v3.5h-3.5z"],
  back: ["M1 1h22v14H1z", "M1 1.5l11 8 11-8"],
};

const h = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) if (value != null) node.setAttribute(name, value);
  // On each: JupyterLab looks at what has the focus before it looks at what is around it
  if (FOCUSABLE.includes(tag)) node.setAttribute("data-lm-suppress-shortcuts", true);
  node.append(...children.flat(Infinity).filter((child) => child || child === 0));
  return node;
};

const letter = (channel) => {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: "0 0 24 16", class: "ar-letter", "aria-hidden": "true" };
  for (const [name, value] of Object.entries(attributes)) svg.setAttribute(name, value);
  for (const d of DRAWINGS[channel] ?? DRAWINGS.back) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
};

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

const isWeb = (url) => {
  try {
    return new URL(url).protocol === "https:";
  } catch {
    return false;
  }
};

const source = (words, section, url) => {
  if (!section) return null;
  if (!isWeb(url)) return h("span", { class: "ar-source" }, section);
  const opens = h("span", { class: "ar-unseen" }, ` (${words.new_tab})`);
  return h("a", { class: "ar-source", href: url, target: "_blank", rel: "noopener noreferrer" }, section, opens);
};

// A long value opens; a list shows its first and best-known members
const shown = (value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const whole = h("bdi", { class: "ar-value" }, text);
  if (text.length <= LONG) return whole;
  return h("details", {}, h("summary", { class: "ar-value" }, h("bdi", {}, `${text.slice(0, LONG / 2)} …`)), whole);
};

const parameterRow = (words, { name, value, hidden, meaning, section, url }) =>
  h(
    "div",
    {},
    h("dt", {}, h("bdi", {}, name)),
    h(
      "dd",
      {},
      value == null ? h("span", { class: "ar-hidden-value" }, hidden || words.hidden) : shown(value),
      (meaning || section) && h("p", { class: "ar-muted" }, h("bdi", {}, meaning), " ", source(words, section, url)),
    ),
  );

const parameterList = (words, all) => {
  const rows = (some) => h("dl", { class: "ar-parameters" }, some.map((one) => parameterRow(words, one)));
  if (all.length <= MANY) return rows(all);
  const first = all.filter(({ meaning }) => meaning).slice(0, MANY - 2);
  const rest = all.filter((one) => !first.includes(one));
  return h("div", {}, rows(first), h("details", { class: "ar-rest" }, h("summary", {}, fill(words.more, { n: rest.length })), rows(rest)));
};

const signature = (words, { algorithm, verified, signed_by, checked_with } = {}) => {
  const [kind, sign, text] =
    verified === true ? ["good", "✓", words.verified] : verified === false ? ["bad", "✗", words.wrong] : ["", "–", words.unchecked];
  const facts = [
    [words.algorithm, algorithm],
    [words.signed_by, signed_by],
    [words.checked_with, checked_with],
  ];
  return [
    h(
      "dl",
      { class: "ar-parameters ar-facts" },
      facts.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, shown(value)))),
    ),
    h("p", { class: `ar-verdict ar-${kind || "open"}` }, h("span", { class: "ar-sign", "aria-hidden": "true" }, sign), text),
  ];
};

const jwtView = (words, jwt) => {
  const part = (name, title, ...children) => h("div", { class: `ar-part ar-part-${name}` }, h("h5", {}, title), children);
  return h(
    "div",
    { class: "ar-jwt" },
    h("h4", {}, words[`jwt_${jwt.name}`]),
    part("header", words.header, parameterList(words, jwt.header)),
    part("claims", words.claims, parameterList(words, jwt.claims)),
    part("signature", words.signature, signature(words, jwt.signature)),
  );
};

// The lanes and one message between two of them. The line spans the lanes' centres.
const track = (parties, { from, to, channel }, moves) => {
  const [start, end] = [from, to].map((id) => parties.findIndex((party) => party.id === id));
  const lifelines = parties.map(({ id }) => h("i", { class: `ar-lifeline ${id === "attacker" ? "ar-attacker" : ""}` }));
  const node = h("div", { class: "ar-track" }, lifelines);
  if (start < 0 || end < 0) return node;
  const centre = (lane) => `${((lane + 0.5) / parties.length) * 100}%`;
  const line = h("div", { class: `ar-line ar-${channel ?? "back"} ${end < start ? "ar-reverse" : start === end ? "ar-self" : ""}` });
  if (start !== end) line.append(h("i", { class: "ar-arrow" }));
  line.style.insetInlineStart = centre(Math.min(start, end));
  line.style.width = `${(Math.abs(end - start) / parties.length) * 100}%`;
  if (from === "attacker" || to === "attacker") line.classList.add("ar-attacker");
  if (channel) {
    const travelling = h("div", { class: `ar-travelling ${moves ? "ar-moves" : ""}` }, letter(channel));
    travelling.style.setProperty("--ar-from", centre(start));
    travelling.style.setProperty("--ar-to", centre(end));
    node.append(line, travelling);
  } else node.append(line);
  return node;
};

const laneHeads = (parties) =>
  h(
    "div",
    { class: "ar-heads" },
    parties.map(({ id, name, host }) =>
      h("div", { class: id === "attacker" ? "ar-attacker" : "" }, h("bdi", {}, name), host && h("bdi", { class: "ar-host" }, host)),
    ),
  );

export default () => {
  let live = null; // with the values that are not saved
  const state = { step: 0, off: null, opened: new Set() };
  const views = new Set();

  const render = ({ model, el }) => {
    const replay = () => live ?? model.get("replay");
    const words = replay().words;
    const name = (id) => allParties().find((party) => party.id === id)?.name ?? id;
    const wayOf = ({ from, to }) => fill(from === to ? words.alone : words.way, { from: name(from), to: name(to) });
    const defenceOf = (id) => replay().defences.find((defence) => defence.id === id);
    const allParties = () => {
      const { parties } = replay();
      return parties.some(({ id }) => id === "attacker") ? parties : [...parties, { id: "attacker", name: words.attacker }];
    };

    const title = h("h2", {}, replay().title);
    const legend = h(
      "ul",
      { class: "ar-legend" },
      ["front", "back"].map((channel) =>
        h("li", {}, letter(channel), h("span", {}, h("b", {}, words[channel]), ` ${words[`${channel}_means`]}`)),
      ),
    );
    const back = h("button", { type: "button", "data-go": -1 }, h("span", { class: "ar-glyph", "aria-hidden": "true" }, "‹"), words.back_button);
    const next = h("button", { type: "button", "data-go": 1, class: "ar-primary" }, words.next, h("span", { class: "ar-glyph", "aria-hidden": "true" }, "›"));
    const slider = h("input", { type: "range", min: 0, step: 1, "aria-label": words.slider });
    const count = h("p", { class: "ar-count", "aria-hidden": "true" });
    const stage = h("div", { class: "ar-stage", "aria-hidden": "true" });
    const body = h("div", { class: "ar-body" });
    const defences = h("div", { class: "ar-defences" });
    const steps = h("ol", { class: "ar-steps" });
    const all = h("details", { class: "ar-all" }, h("summary", {}, words.steps), steps);
    const status = h("p", { class: "ar-unseen", role: "status", "aria-live": "polite" });
    const style = h("style", {}); // hides the saved picture while this view is there
    const root = h(
      "section",
      { class: "authnb-replay", tabindex: "-1" },
      h("header", {}, title, legend),
      h("div", { class: "ar-controls" }, back, h("div", { class: "ar-position" }, slider, count), next),
      stage,
      body,
      defences,
      all,
      h("p", { class: "ar-muted ar-keys" }, words.keys),
      status,
      style,
    );

    const drawStep = (moves) => {
      const { hops, parties } = replay();
      const hop = hops[state.step];
      const values = { n: state.step + 1, of: hops.length };
      const way = wayOf(hop);
      slider.max = hops.length - 1;
      slider.value = state.step;
      slider.setAttribute("aria-valuetext", `${fill(words.step, values)}: ${hop.title}`);
      count.textContent = fill(words.step, values);
      back.ariaDisabled = state.step === 0;
      next.ariaDisabled = state.step === hops.length - 1;
      stage.replaceChildren(laneHeads(parties), track(parties, hop, moves));
      const before = hops[state.step - 1]?.knows ?? {};
      const guards = replay().defences.filter((defence) => defence.hop === state.step);
      body.classList.toggle("ar-moved", moves);
      const lost = body.matches(":focus-within");
      body.replaceChildren(
        h(
          "div",
          { class: "ar-what" },
          h(
            "p",
            { class: "ar-way" },
            h("span", { class: `ar-channel ar-${hop.channel}` }, letter(hop.channel), words[hop.channel]),
            h("bdi", {}, way),
            hop.status && h("span", { class: "ar-status" }, String(hop.status)),
          ),
          h("h3", {}, h("bdi", {}, hop.title)),
          h("p", {}, h("bdi", {}, hop.says)),
          hop.seen === false && h("p", { class: "ar-muted" }, words.unseen),
          guards.length > 0 && h("p", { class: "ar-guard" }, fill(words.guard, { names: guards.map((defence) => defence.name).join("; ") })),
        ),
        h(
          "div",
          { class: "ar-knows" },
          h("h4", {}, words.knows),
          h(
            "div",
            { class: "ar-who" },
            parties.map(({ id, name: who }) => {
              const known = hop.knows?.[id] ?? [];
              return h(
                "div",
                {},
                h("h5", {}, h("bdi", {}, who)),
                known.length
                  ? h(
                      "ul",
                      {},
                      known.map((what) => {
                        const isNew = !before[id]?.includes(what);
                        return h("li", { class: isNew ? "ar-new" : "" }, h("bdi", {}, what), isNew && h("span", {}, words.new));
                      }),
                    )
                  : h("p", { class: "ar-muted" }, words.nothing),
              );
            }),
          ),
        ),
        h(
          "div",
          { class: "ar-columns" },
          h(
            "div",
            {},
            h("h4", {}, words.parameters),
            hop.parameters?.length ? parameterList(words, hop.parameters) : h("p", { class: "ar-muted" }, words.no_parameters),
          ),
          hop.jwts?.length > 0 && h("div", {}, hop.jwts.map((jwt) => jwtView(words, jwt))),
        ),
      );
      if (lost) slider.focus();
      [...steps.querySelectorAll("button")].forEach((button, at) => button.setAttribute("aria-current", at === state.step ? "step" : "false"));
      return `${fill(words.step, values)}. ${words[hop.channel]}: ${way}. ${hop.title}. ${hop.says}`;
    };

    // The attack, as far as it comes: another defence that is on may end it
    const attack = ({ off: { steps: course, gets, backstops = [] } }) => {
      const isOn = ({ id }) => !state.off.has(id) && replay().defences.some((defence) => defence.id === id);
      const end = backstops.filter(isOn).sort((a, b) => a.before - b.before)[0];
      const involved = new Set(course.flatMap(({ from, to }) => [from, to]));
      const lanes = allParties().filter(({ id }) => involved.has(id));
      return [
        laneHeads(lanes),
        h(
          "ol",
          { class: "ar-attack-steps" },
          course.slice(0, end?.before).map((step) =>
            h(
              "li",
              {},
              h("p", {}, h("b", {}, h("bdi", {}, wayOf(step))), h("bdi", {}, step.says)),
              h("div", { "aria-hidden": "true" }, track(lanes, step)),
            ),
          ),
        ),
        end
          ? h("p", { class: "ar-ended" }, h("b", {}, fill(words.ended, { name: defenceOf(end.id).name })), h("bdi", {}, end.says))
          : h("p", { class: "ar-gets" }, h("b", {}, words.gets), h("bdi", {}, gets)),
      ];
    };

    const drawDefences = () => {
      for (const item of defences.querySelectorAll(".ar-defence")) {
        const toggle = item.querySelector("[role=switch]");
        const defence = defenceOf(toggle.dataset.defence);
        const on = !state.off.has(defence.id);
        toggle.ariaChecked = on;
        item.classList.toggle("ar-is-off", !on);
        item.querySelector(".ar-onoff").textContent = on ? words.on : words.off;
        const opened = state.opened.has(defence.id);
        const course = h(
          "details",
          { open: opened ? "" : null },
          h("summary", {}, fill(words.attack, { name: defence.name })),
          h("div", { class: "ar-attack" }, attack(defence)),
        );
        course.addEventListener("toggle", () => state.opened[course.open ? "add" : "delete"](defence.id));
        item.querySelector(".ar-outcome").replaceChildren(
          ...(on ? [h("p", {}, h("b", {}, words.ends), h("bdi", {}, defence.on.says))] : []),
          ...(defence.used === false ? [h("p", { class: "ar-muted" }, words.unused)] : []),
          ...(on ? [] : [course]),
        );
      }
    };

    const drawAll = () => {
      const { hops, defences: list } = replay();
      title.textContent = replay().title;
      root.ariaLabel = replay().title;
      root.classList.toggle("ar-empty", hops.length === 0);
      style.textContent = replay().picture ? `[data-authnb-replay="${CSS.escape(replay().picture)}"]{display:none}` : "";
      steps.replaceChildren(
        ...hops.map((hop, at) =>
          h(
            "li",
            {},
            h(
              "button",
              { type: "button", "data-to": at },
              h("bdi", {}, hop.title),
              h("span", { class: "ar-muted" }, letter(hop.channel), h("span", { class: "ar-unseen" }, `${words[hop.channel]}: `), h("bdi", {}, wayOf(hop))),
            ),
          ),
        ),
      );
      defences.replaceChildren(
        ...(list.length ? [h("h3", {}, words.defences), h("p", { class: "ar-muted" }, words.defences_means)] : []),
        ...list.map((defence) => {
          const toggle = h(
            "button",
            { type: "button", role: "switch", "data-defence": defence.id },
            h("span", { class: "ar-knob", "aria-hidden": "true" }),
            h("bdi", {}, defence.name),
          );
          const item = h(
            "div",
            { class: "ar-defence" },
            h("div", { class: "ar-row" }, toggle, h("span", { class: "ar-onoff", "aria-hidden": "true" }), source(words, defence.section, defence.url)),
            h("div", { class: "ar-outcome" }),
          );
          return item;
        }),
      );
      if (!hops.length) return body.replaceChildren(h("p", {}, words.empty));
      state.off ??= new Set(list.filter(({ used }) => used === false).map(({ id }) => id));
      drawDefences();
      state.step = Math.max(0, Math.min(state.step, hops.length - 1));
      drawStep(false);
    };

    const go = (step) => {
      const to = Math.max(0, Math.min(step, replay().hops.length - 1));
      if (to === state.step) return;
      state.step = to;
      status.textContent = drawStep(true);
    };

    root.addEventListener("click", ({ target }) => {
      const { go: by, to, defence: id } = target.closest("button")?.dataset ?? {};
      if (by) go(state.step + Number(by));
      if (to) go(Number(to));
      if (!id) return;
      const off = !state.off.delete(id);
      if (off) state.off.add(id);
      state.opened[off ? "add" : "delete"](id);
      drawDefences();
      const item = target.closest(".ar-defence");
      status.textContent = (item.querySelector(".ar-gets, .ar-ended") ?? item.querySelector(".ar-outcome")).textContent;
    });
    slider.addEventListener("input", () => go(Number(slider.value)));
    root.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
      const forwards = getComputedStyle(root).direction === "rtl" ? -1 : 1;
      const to = {
        ArrowRight: state.step + forwards,
        ArrowLeft: state.step - forwards,
        Home: 0,
        End: replay().hops.length - 1,
      }[event.key];
      if (to === undefined) return;
      event.preventDefault(); // of the slider's own, which differ between browsers
      event.stopPropagation();
      go(to);
    });

    drawAll();
    el.append(root);
    views.add(drawAll);
    return () => views.delete(drawAll);
  };

  return {
    initialize({ model }) {
      const redraw = () => views.forEach((draw) => draw());
      model.on("change:replay", redraw);
      model.on("msg:custom", ({ replay }) => {
        live = replay;
        redraw();
      });
      if (model.get("replay").more) model.send({ action: "ready" });
    },
    render,
  };
};
