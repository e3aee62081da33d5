// The sign-in panel draws what card.py describes. `card`, a trait, may be saved with the notebook; what only a live
// panel may show (addresses, the code, who signed in) comes as a message, covers what the card says, and stays here.

const PATIENCE = 4000; // milliseconds until a kernel that says nothing counts as gone
const INSIST = 2000; // milliseconds until a Cancel that was not heard becomes an interrupt

const DEAD = { phase: "dead", title: "This panel is not live", subtitle: "Run the cell again to sign in.", body: [], text: "" };

const h = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  node.append(...children.flat());
  return node;
};

// Elements of our own, for the panel they stand in; form.js adds one
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

const copy = async (self, text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // There is none on plain http
    const area = h("textarea", { class: "authnb-hidden" }, text);
    self.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    self.focus();
  }
  self.textContent = "Copied";
  setTimeout(() => (self.textContent = "Copy"), 2000);
};

// The Jupyter server of this page: what the page says of it, and the header it wants with a request
const jupyter = () => {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
  const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  return { ...config, headers: token ? { "X-XSRFToken": token } : {} };
};

// A kernel that is busy with the waiting cell may not hear us; Jupyter's own interrupt always gets through.
const interrupt = async (kernel) => {
  const { baseUrl, headers } = jupyter();
  const answer = await fetch(`${baseUrl}api/kernels/${kernel}/interrupt`, { method: "POST", headers });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
};

export default () => {
  let live = {}; // news, and the phase they are of
  let [deadline, total] = [0, 1];
  let [dead, unanswered] = [false, 0];
  let send;
  const drawings = new Set();
  const drawAll = () => drawings.forEach((draw) => draw());

  return {
    initialize({ model }) {
      // What is secret goes as a buffer: kernels set to debug log the content of messages
      send = (message, secret) =>
        model.send(message, undefined, secret && [new TextEncoder().encode(JSON.stringify(secret)).buffer]);
      const surroundings = around(send);
      model.on("msg:custom", ({ seconds, ...news }) => {
        [dead, unanswered] = [false, model.get("card").under_way ? performance.now() : 0];
        if (news.address !== live.address) total = seconds;
        deadline = performance.now() + 1000 * (seconds ?? 0);
        live = news;
        surroundings.hear(news);
        drawAll();
      });
      model.on("change:card", () => {
        if (model.get("card").phase !== live.phase) live = {};
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
      const head = h("div", { class: "authnb-head" }, badge, h("div", {}, title, subtitle));
      const body = h("div", { class: "authnb-body" });
      const root = h("section", { class: "authnb", "data-lm-suppress-shortcuts": true }, head, body, said);
      let shown = "";

      const ui = {
        ticks: new Set(),
        send(message, secret) {
          unanswered ||= performance.now();
          send(message, secret);
        },
        say: (text) => said.textContent === text || (said.textContent = text),
        // A click shows its effect at once; what it leads to follows from the kernel.
        busy(self, text) {
          self.ariaDisabled = "true"; // not `disabled`, which drops the focus
          ui.say((self.textContent = text));
        },
      };

      const cancel = (self) => {
        const { kernel, waits, deaf } = ui.card;
        const refused = () => self.after(h("p", {}, "The kernel is busy: press the notebook's ■ button."));
        const insist = () => ui.card.under_way && interrupt(kernel).catch(refused);
        if (waits && kernel) setTimeout(insist, deaf ? 0 : INSIST);
      };
      root.addEventListener("click", ({ target }) => {
        const self = target.closest("button, a");
        const { do: deed, busy, says, copy: text } = self?.dataset ?? {};
        if (text) copy(self, text);
        if (says) {
          ui.say((body.querySelector("[data-status]") ?? said).textContent = says);
          whenBack(() => ui.card.phase === "waiting" && ui.send({ do: "back" }));
        }
        if (!deed || self.ariaDisabled) return;
        ui.send({ ...self.dataset });
        ui.busy(self, busy);
        if (deed === "cancel") cancel(self);
      });
      root.addEventListener("submit", (event) => {
        event.preventDefault();
        const { do: deed, busy } = event.target.dataset;
        if (!deed) return;
        ui.send({ do: deed }, Object.fromEntries(new FormData(event.target)));
        event.target.reset();
        ui.say(busy);
      });
      // JupyterLab keeps Enter from sending a form by itself.
      root.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !event.target.matches("form input")) return;
        event.preventDefault();
        event.target.form.requestSubmit();
      });

      const tick = () => {
        ui.ticks.forEach((update) => update(Math.max(0, (deadline - performance.now()) / 1000), total));
        // A kernel speaks every second while a sign-in is under way, else it answers unless it is busy
        const busy = !ui.card.under_way && model.widget_manager?.kernel?.status === "busy";
        if (dead || !unanswered || busy || performance.now() - unanswered < PATIENCE) return;
        dead = true;
        draw();
      };

      const draw = () => {
        const card = (ui.card = { ...model.get("card"), ...(dead ? DEAD : live) });
        const now = JSON.stringify(card);
        if (now === shown || root.matches(":active")) return tick(); // not under a finger
        shown = now;
        const arrives = root.dataset.phase !== card.phase;
        const opened = !arrives && body.querySelector("details")?.open;
        const hadFocus = root.matches(":focus-within");
        root.dataset.phase = card.phase;
        root.ariaLabel = model.get("card").title;
        title.textContent = card.title;
        subtitle.textContent = card.subtitle;
        const picture = card.picture && h("img", { src: card.picture, alt: "", referrerpolicy: "no-referrer" });
        badge.replaceChildren(picture || card.badge);
        ui.ticks.clear();
        if (card.phase !== "sign_up") ui.form = null; // and with it what was typed
        body.replaceChildren(...card.body.map((node) => build(ui, node)));
        if (opened) body.querySelector("details")?.setAttribute("open", "");
        tick();
        ui.say(`${card.title}. ${card.text}`);
        // A cell that waits comes into view; the focus stays where the person has it
        if (arrives && card.waits) requestAnimationFrame(() => root.scrollIntoView?.({ block: "nearest" }));
        if (!hadFocus) return;
        body.querySelector(".authnb-primary")?.focus();
        if (!body.matches(":focus-within")) title.focus();
      };

      const timer = setInterval(draw, 1000);
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
