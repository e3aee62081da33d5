// The sign-in panel. `card`, a trait, says where the sign-in is; it may be saved with the notebook. What only
// a live panel may show (addresses, the code, who signed in) comes as a message and stays here and in the DOM.

const h = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => child != null && child !== false));
  return node;
};

const PATIENCE = 4000; // milliseconds

const sender = (model) => (message, secret) =>
  model.send(message, undefined, secret && [new TextEncoder().encode(JSON.stringify(secret)).buffer]);
const row = (...children) => h("div", { class: "authnb-row" }, children);
const quiet = (...children) => h("p", { class: "authnb-quiet" }, children);
const button = (text, kind, onclick) => h("button", { type: "button", class: kind, onclick }, text);
const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
const clock = (epoch) => new Date(epoch * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

// A real link: the browser opens it in the click itself, so no popup blocker minds.
const page = (address, text, onclick) =>
  h(
    "a",
    {
      class: "authnb-primary",
      href: address,
      target: "_blank",
      rel: "noopener noreferrer",
      role: "link",
      "aria-disabled": address ? null : "true",
      "data-focus": true,
      onclick,
    },
    text,
    h("span", { "aria-hidden": "true" }, " ↗"),
    h("span", { class: "authnb-hidden" }, " (opens a new tab)"),
  );

// JupyterLab keeps Enter from sending a form by itself.
const enter = (event) => {
  if (event.key !== "Enter" || event.target.tagName !== "INPUT" || !event.target.form) return;
  event.preventDefault();
  event.target.form.requestSubmit();
};

const copy = (text) =>
  button("Copy", "", async ({ currentTarget: self }) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // navigator.clipboard is missing on plain http
      const area = h("textarea", { class: "authnb-hidden" });
      area.value = text;
      self.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      self.focus();
    }
    self.textContent = "Copied";
    setTimeout(() => (self.textContent = "Copy"), 2000);
  });

// A kernel that is busy with the waiting cell may not hear us; Jupyter's own interrupt always gets through.
const interrupt = async (kernel) => {
  const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
  const answer = await fetch(`${config.baseUrl}api/kernels/${kernel}/interrupt`, {
    method: "POST",
    headers: token ? { "X-XSRFToken": token } : {},
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
};

const bodies = {
  starting: (ui) => [quiet("Asking the provider where to sign in …"), row(ui.cancel())],

  waiting: (ui) => [ui.card.why && h("p", {}, ui.card.why), ...(ui.live.code ? device(ui) : loopback(ui))],

  signed_in: ({ card, live, act }) => [
    row(
      h("span", {}, h("span", { class: "authnb-ok", "aria-hidden": "true" }, "✓ "), "Signed in"),
      live.until &&
        h("span", { class: "authnb-quiet" }, live.renews ? `renews by itself before ${clock(live.until)}` : `until ${clock(live.until)}`),
      button("Sign out", "authnb-plain authnb-end", act({ do: "sign_out" }, "Signing out …")),
    ),
    card.missed && quiet("The cell had stopped. Run it again: it goes on without asking."),
  ],

  signed_out: ({ card, live, act }) => [
    card.text && quiet(card.text),
    row(
      button("Sign in again", "authnb-primary", act({ do: "again" }, "Starting …")),
      live.end && page(live.end, `Sign out at ${card.host} too`),
    ),
  ],

  failed: (ui) => [
    ui.card.text && h("p", {}, ui.card.text),
    row(
      button("Try again", "authnb-primary", ui.act({ do: "again" }, "Starting …")),
      switcher(ui, ""),
    ),
    ui.card.details && h("details", {}, h("summary", {}, "Details"), h("p", {}, ui.card.details)),
  ],

  dead: () => [],
};
bodies.cancelled = bodies.failed;

const otherway = (mode, signUp) =>
  ({
    device: "Use a code instead",
    form: "Use a form here instead",
    loopback: signUp ? "Use the provider's own page instead" : "Use this computer's browser instead",
    page: "Answer over this Jupyter server instead",
    proxy: "Answer through the server's proxy instead",
    paste: "Paste the address instead",
  })[mode];
const switcher = ({ card, act }, kind) =>
  card.others.map((mode) => button(otherway(mode, card.sign_up), kind, act({ do: "again", mode }, "Starting …")));

const loopback = (ui) => {
  const { card, live, say } = ui;
  const status = quiet("Waiting for you to sign in there.", card.awaited && " This cell goes on by itself.");
  const opened = () => {
    status.textContent = `The page is open in another tab. Sign in there, then come back${card.awaited ? ": this cell goes on by itself." : "."}`;
    say(status.textContent);
    // Whoever comes back without an answer may have met a provider that refuses the address it would go to
    window.addEventListener("focus", () => setTimeout(() => ui.card.phase === "waiting" && ui.send({ do: "back" }), 1000), { once: true });
  };
  const pasted = h("input", { type: "text", autocomplete: "off", spellcheck: "false", "aria-label": "Address you ended on" });
  const hand = (event) => {
    event.preventDefault();
    ui.send({ do: "redirect" }, { address: pasted.value });
    pasted.value = "";
    say("Checking the address …");
  };
  const paste = h("form", { class: "authnb-row", onsubmit: hand }, (pasted.classList.add("authnb-grow"), pasted), h("button", {}, "Send"));
  const byHand = card.mode === "paste";
  return [
    live.first && row(page(live.first, "Create an account first")),
    row(page(live.address, card.sign_up && !card.created && !live.first ? "Open the sign-up page" : "Open the sign-in page", opened), ui.cancel()),
    byHand ? h("p", {}, "Sign in there. You end on a page that cannot be shown: copy its whole address, and paste it here:") : status,
    byHand && paste,
    h(
      "details",
      {},
      h("summary", {}, "The page did not open, or ends in an error?"),
      h("p", {}, "Open this address in a browser on this computer:"),
      row(h("input", { class: "authnb-grow", readonly: true, value: live.address ?? "", "aria-label": "Address of the sign-in page" }), copy(live.address ?? "")),
      !byHand && h("p", {}, "If you signed in and ended on a page that cannot be shown, paste its address here:"),
      !byHand && paste,
      row(switcher(ui, "")),
    ),
    h("p", { class: "authnb-note", role: "alert" }, live.note ?? ""),
    ui.bar(),
  ];
};

const device = (ui) => {
  const { live } = ui;
  return [
    h(
      "div",
      { class: "authnb-columns" },
      h(
        "div",
        {},
        h("p", {}, "On any device, open ", h("a", { href: live.address, target: "_blank", rel: "noopener noreferrer" }, live.place), " and enter"),
        row(h("span", { class: "authnb-code", role: "text", "aria-label": `Code ${[...live.code].join(" ")}` }, live.code), copy(live.code)),
        row(page(live.complete ?? live.address, live.complete ? "Open with the code" : "Open the page"), ui.cancel()),
      ),
      live.qr && h("img", { class: "authnb-qr", src: live.qr, alt: "The address as a QR code, for a phone" }),
    ),
    quiet("The code is good for ", ui.countdown(), ". Only go on if you started this sign-in yourself."),
    row(switcher(ui, "authnb-plain")),
    ui.bar(),
  ];
};

export default () => {
  let live = {};
  let channel = null;
  let [deadline, total] = [0, 1];
  let [dead, unanswered] = [false, 0];
  const drawings = new Set();
  const drawAll = () => drawings.forEach((draw) => draw());
  const underWay = (phase) => ["starting", "waiting", "sign_up"].includes(phase);

  return {
    initialize({ model }) {
      model.on("msg:custom", (message) => {
        [dead, unanswered] = [false, underWay(model.get("card").phase) ? performance.now() : 0];
        if (message.address !== live.address) {
          total = message.seconds;
          channel?.close();
          channel = message.address?.includes("redirect_uri=") ? listen(message.address, sender(model)) : null;
          if (message.probe) probe(message.probe, sender(model));
        }
        live = message;
        deadline = performance.now() + 1000 * (message.seconds ?? 0);
        drawAll();
      });
      model.on("change:card", () => {
        live = {};
        drawAll();
      });
      model.on("comm_live_update", () => {
        dead = true; // the kernel restarts
        drawAll();
      });
      unanswered = performance.now();
      model.send({ do: "hello" });
      lookAround(sender(model));
      return () => channel?.close();
    },

    render({ model, el }) {
      const said = h("p", { class: "authnb-hidden", role: "status", "aria-live": "polite" });
      const badge = h("div", { class: "authnb-badge", "aria-hidden": "true" });
      const title = h("h3", { tabindex: "-1" });
      const subtitle = h("p", { class: "authnb-quiet" });
      const body = h("div", { class: "authnb-body" });
      const root = h(
        "section",
        { class: "authnb", "data-lm-suppress-shortcuts": "true", onkeydown: enter },
        h("div", { class: "authnb-head" }, badge, h("div", {}, title, subtitle)),
        body,
        said,
      );
      const ticks = new Set();
      const tick = () => {
        ticks.forEach((update) => update(Math.max(0, (deadline - performance.now()) / 1000)));
        // A kernel speaks every second while a sign-in is under way, else it answers unless it is busy
        const busy = !underWay(ui.card.phase) && model.widget_manager?.kernel?.status === "busy";
        if (dead || !unanswered || busy || performance.now() - unanswered < PATIENCE) return;
        dead = true;
        draw();
      };
      const timer = setInterval(tick, 1000);
      let shown = "";

      const ui = {
        get card() {
          return model.get("card");
        },
        get live() {
          return live;
        },
        // What is secret goes as a buffer: kernels set to debug log the content of messages
        send: sender(model),
        say: (text) => said.textContent === text || (said.textContent = text),
        // A click shows its effect at once; what it leads to follows from the kernel.
        act:
          (message, text) =>
          ({ currentTarget: self }) => {
            if (self.ariaDisabled) return;
            self.ariaDisabled = "true"; // not `disabled`, which drops the focus
            self.textContent = text;
            ui.say(text);
            unanswered ||= performance.now();
            model.send(message);
          },
        cancel: () =>
          button("Cancel", "authnb-plain", (event) => {
            const { kernel, awaited } = ui.card;
            const row = event.currentTarget.parentNode;
            ui.act({ do: "cancel" }, "Cancelling …")(event);
            if (!awaited || !kernel) return;
            setTimeout(() => {
              if (!underWay(ui.card.phase)) return;
              interrupt(kernel).catch(() => row.append(quiet("The kernel is busy: press the notebook's ■ button.")));
            }, 400);
          }),
        countdown: () => {
          const node = h("span", { class: "authnb-countdown" });
          ticks.add((seconds) => (node.textContent = minutes(seconds)));
          return node;
        },
        bar: () => {
          const inner = h("i");
          ticks.add((seconds) => (inner.style.width = `${(100 * seconds) / total}%`));
          return h("div", { class: "authnb-bar", "aria-hidden": "true" }, inner);
        },
      };

      const draw = () => {
        const { card } = ui;
        const phase = dead ? "dead" : card.phase;
        const now = JSON.stringify([phase, card, { ...live, seconds: 0 }]);
        if (now === shown) return tick();
        const hadFocus = root.contains(root.getRootNode().activeElement);
        shown = now;
        root.setAttribute("aria-label", card.title);
        const person = phase === "signed_in" && live.name;
        title.textContent = dead ? "This panel is not live" : person || card.title;
        subtitle.textContent = dead ? "Run the cell again to sign in." : person ? [live.email, card.host].filter(Boolean).join(" · ") : card.subtitle;
        badge.replaceChildren(
          person && live.picture ? h("img", { src: live.picture, alt: "", referrerpolicy: "no-referrer" }) : (person || card.host).match(/^[^\d\W]/)?.[0].toUpperCase() ?? "ID",
        );
        ticks.clear();
        if (phase !== "sign_up") ui.form = null; // and with it what was typed
        const opened = body.querySelector("details")?.open && root.dataset.phase === phase;
        body.replaceChildren(...bodies[phase](ui).filter(Boolean));
        if (opened) body.querySelector("details").open = true;
        root.dataset.phase = phase;
        tick();
        ui.say(phase === "waiting" && live.code ? `${card.title}. Your code is ${live.code}.` : `${title.textContent}. ${card.text ?? ""}`);
        if (!hadFocus) return;
        body.querySelector("[data-focus], .authnb-primary")?.focus();
        if (!body.contains(root.getRootNode().activeElement)) title.focus(); // a link takes it only once it has its address
      };

      el.append(root);
      draw();
      drawings.add(draw);
      return () => {
        clearInterval(timer);
        drawings.delete(draw);
      };
    },
  };
};
