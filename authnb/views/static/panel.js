// The sign-in panel draws what card.py describes. `card`, a trait, may be saved with the notebook; what only a live
// panel may show (addresses, the code, who signed in) comes as a message and stays here and in the DOM.

const PATIENCE = 4000; // milliseconds until a kernel that says nothing counts as gone
const INSIST = 2000; // milliseconds until a Cancel that was not heard becomes an interrupt

const h = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value != null) node.setAttribute(name, value === true ? "" : value);
  node.append(...children.flat());
  return node;
};

// Elements of our own, made with the panel they stand in; form.js adds one
const makers = {
  clock: (_, { epoch }) => new Date(epoch * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
  countdown({ ticks }) {
    const node = h("span", { class: "authnb-countdown" });
    const padded = (seconds) => String(Math.floor(seconds % 60)).padStart(2, "0");
    ticks.add((seconds) => (node.textContent = `${Math.floor(seconds / 60)}:${padded(seconds)}`));
    return node;
  },
  bar({ ticks }) {
    const inner = h("i", {});
    ticks.add((seconds, all) => (inner.style.width = `${(100 * seconds) / all}%`));
    return h("div", { class: "authnb-bar", "aria-hidden": "true" }, inner);
  },
};
const build = (ui, node) => {
  if (typeof node === "string") return node;
  const [tag, attributes, ...children] = node;
  const built = children.map((child) => build(ui, child));
  return tag in makers ? makers[tag](ui, attributes, built) : h(tag, attributes, built);
};

const copy = async (self) => {
  try {
    await navigator.clipboard.writeText(self.dataset.copy);
  } catch {
    // navigator.clipboard is missing on plain http
    const area = h("textarea", { class: "authnb-hidden" }, self.dataset.copy);
    self.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    self.focus();
  }
  self.textContent = "Copied";
  setTimeout(() => (self.textContent = "Copy"), 2000);
};

// A kernel that is busy with the waiting cell may not hear us; Jupyter's own interrupt always gets through.
const interrupt = async (kernel) => {
  const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
  const headers = token ? { "X-XSRFToken": token } : {};
  const answer = await fetch(`${config.baseUrl}api/kernels/${kernel}/interrupt`, { method: "POST", headers });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
};

// What is secret goes as a buffer: kernels set to debug log the content of messages
const sender = (model) => (message, secret) =>
  model.send(message, undefined, secret && [new TextEncoder().encode(JSON.stringify(secret)).buffer]);

const underWay = (phase) => ["starting", "choosing", "waiting", "sign_up"].includes(phase);

export default () => {
  let [live, told] = [{}, ""]; // news, and the phase they are of
  let [deadline, total] = [0, 1];
  let [dead, unanswered] = [false, 0];
  const drawings = new Set();
  const drawAll = () => drawings.forEach((draw) => draw());

  return {
    initialize({ model }) {
      const send = sender(model);
      const surroundings = around(send);
      model.on("msg:custom", ({ seconds, ...news }) => {
        [dead, unanswered] = [false, underWay(model.get("card").phase) ? performance.now() : 0];
        if (news.address !== live.address) total = seconds;
        deadline = performance.now() + 1000 * (seconds ?? 0);
        [live, told] = [news, model.get("card").phase];
        surroundings.hear(news);
        drawAll();
      });
      model.on("change:card", () => {
        if (model.get("card").phase !== told) [live, deadline] = [{}, 0];
        drawAll();
      });
      model.on("comm_live_update", () => {
        dead = true; // the kernel restarts
        drawAll();
      });
      unanswered = performance.now();
      send({ do: "hello" });
      return surroundings.close;
    },

    render({ model, el }) {
      const said = h("p", { class: "authnb-hidden", role: "status", "aria-live": "polite" });
      const badge = h("div", { class: "authnb-badge", "aria-hidden": "true" });
      const title = h("h2", { tabindex: "-1" });
      const subtitle = h("p", { class: "authnb-quiet" });
      const body = h("div", { class: "authnb-body" });
      const head = h("div", { class: "authnb-head" }, badge, h("div", {}, title, subtitle));
      const root = h("section", { class: "authnb", "data-lm-suppress-shortcuts": "true" }, head, body, said);
      const focused = () => root.getRootNode().activeElement;
      let shown = "";

      const ui = {
        ticks: new Set(),
        get live() {
          return live;
        },
        send(message, secret) {
          unanswered ||= performance.now();
          sender(model)(message, secret);
        },
        say: (text) => said.textContent === text || (said.textContent = text),
        // A click shows its effect at once; what it leads to follows from the kernel.
        busy(self, text) {
          self.ariaDisabled = "true"; // not `disabled`, which drops the focus
          ui.say((self.textContent = text));
        },
      };

      const cancel = (self) => {
        const { kernel, waits, deaf } = model.get("card");
        const refused = () => self.after(h("p", {}, "The kernel is busy: press the notebook's ■ button."));
        const insist = () => underWay(model.get("card").phase) && interrupt(kernel).catch(refused);
        if (waits && kernel) setTimeout(insist, deaf ? 0 : INSIST);
      };
      root.addEventListener("click", ({ target }) => {
        const self = target.closest("button, a");
        const { do: deed, busy, says, copy: text } = self?.dataset ?? {};
        if (text) copy(self);
        if (says) {
          ui.say((body.querySelector("[data-status]") ?? said).textContent = says);
          whenBack(() => model.get("card").phase === "waiting" && ui.send({ do: "back" }));
        }
        if (!deed || self.ariaDisabled) return;
        ui.busy(self, busy);
        ui.send(JSON.parse(deed));
        if (JSON.parse(deed).do === "cancel") cancel(self);
      });
      root.addEventListener("submit", (event) => {
        event.preventDefault();
        const { do: deed, busy } = event.target.dataset;
        if (!deed) return;
        ui.send(JSON.parse(deed), Object.fromEntries(new FormData(event.target)));
        event.target.reset();
        ui.say(busy);
      });
      // JupyterLab keeps Enter from sending a form by itself.
      root.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || event.target.tagName !== "INPUT" || !event.target.form) return;
        event.preventDefault();
        event.target.form.requestSubmit();
      });

      const tick = () => {
        ui.ticks.forEach((update) => update(Math.max(0, (deadline - performance.now()) / 1000), total));
        // A kernel speaks every second while a sign-in is under way, else it answers unless it is busy
        const busy = !underWay(model.get("card").phase) && model.widget_manager?.kernel?.status === "busy";
        if (dead || !unanswered || busy || performance.now() - unanswered < PATIENCE) return;
        dead = true;
        draw();
      };

      const draw = () => {
        const card = model.get("card");
        const now = JSON.stringify([dead, card, live]);
        if (now === shown) return tick();
        shown = now;
        const phase = dead ? "dead" : card.phase;
        const arrives = root.dataset.phase !== phase;
        const opened = !arrives && body.querySelector("details")?.open;
        const hadFocus = root.contains(focused());
        const who = !dead && live.name;
        const calm = who ? [live.email, card.host].filter(Boolean).join(" · ") : card.subtitle;
        root.dataset.phase = phase;
        root.setAttribute("aria-label", card.title);
        title.textContent = dead ? "This panel is not live" : who || card.title;
        subtitle.textContent = dead ? "Run the cell again to sign in." : calm;
        badge.replaceChildren(
          who && live.picture
            ? h("img", { src: live.picture, alt: "", referrerpolicy: "no-referrer" })
            : ((who || card.host).match(/^[^\d\W]/)?.[0].toUpperCase() ?? "ID"),
        );
        ui.ticks.clear();
        if (phase !== "sign_up") ui.form = null; // and with it what was typed
        body.replaceChildren(...(dead ? [] : (live.body ?? card.body)).map((node) => build(ui, node)));
        if (opened && body.querySelector("details")) body.querySelector("details").open = true;
        tick();
        ui.say(`${title.textContent}. ${live.said ?? card.text}`);
        // A cell that waits comes into view; the focus stays where the person has it
        if (arrives && card.waits) requestAnimationFrame(() => root.scrollIntoView?.({ block: "nearest" }));
        if (!hadFocus) return;
        body.querySelector(".authnb-primary")?.focus();
        if (!body.contains(focused())) title.focus();
      };

      const timer = setInterval(tick, 1000);
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
