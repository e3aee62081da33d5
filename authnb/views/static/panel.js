// Renders what card.py describes. The trait `card` may be saved; live messages (URLs, code, person) that override it not

const KERNEL_TIMEOUT = 4000; // ms without a message
const INTERRUPT_DELAY = 2000; // ms after Cancel, in which a kernel may go on waiting

const GONE = ["dead", "restarting", "autorestarting", "terminating"];

const h = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  node.dataset.lmSuppressShortcuts = true; // asked of the focused node
  for (const [name, value] of Object.entries(attributes)) if (value != null) node.setAttribute(name, value);
  node.append(...children.flat());
  return node;
};

// A picture there would be a request with the person's cookies
const isOwnHost = (url) => {
  const [a, b] = [new URL(url), location].map(({ hostname }) => `.${hostname}`);
  return a.endsWith(b) || b.endsWith(a);
};

const components = {
  clock: (_, { epoch }) => new Date(epoch * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
  countdown({ ticks }) {
    const node = h("span", { class: "authnb-countdown" });
    ticks.add((s) => (node.textContent = `${Math.floor(s / 60)}:${`${Math.floor(s % 60)}`.padStart(2, "0")}`));
    return node;
  },
  bar({ ticks }) {
    const inner = h("i", {});
    ticks.add((seconds, all) => (inner.style.width = `${(100 * seconds) / all}%`));
    return h("div", { class: "authnb-bar", "aria-hidden": true }, inner);
  },
};
const createNode = (ui, node) => {
  if (typeof node === "string") return node;
  const [tag, attributes, ...children] = node;
  const nodes = children.map((child) => createNode(ui, child));
  return tag in components ? components[tag](ui, attributes, nodes) : h(tag, attributes, nodes);
};

const copy = async (button, text) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard API on plain http
    const area = h("textarea", { class: "authnb-hidden" }, text);
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = button.dataset.copied;
  setTimeout(() => (button.textContent = button.dataset.label), 2000);
};

const serverConfig = () => {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
  const config = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  return { ...config, headers: token ? { "X-XSRFToken": token } : {} };
};

// Also where the kernel processes no message
const interrupt = async ({ kernel, marimo }) => {
  for (let tries = 0; marimo; tries++) {
    const button = document.querySelector("[data-testid=interrupt-button]:not(.inactive-button)");
    if (button || tries > 9) return button.click(); // first inactive
    await new Promise((done) => setTimeout(done, 100));
  }
  const { baseUrl, headers } = serverConfig();
  const response = await fetch(`${baseUrl}api/kernels/${kernel}/interrupt`, { method: "POST", headers });
  if (!response.ok) throw response;
};

export default () => {
  let live = {}; // the latest message, for its phase
  let [deadline, total] = [0, 1];
  let [dead, sentAt] = [false, 0];
  let [send, update, panelId, cancelling] = [];
  let own = true; // not begun by another page that is there
  let [behind, aborted] = [[], []]; // this page's runs that wait for the sign-in, then those lost
  const views = new Set();
  const cardOf = (model, floating) => {
    const saved = model.get("card");
    const card = { ...saved, ...(dead ? saved.dead : live) };
    if (floating && behind.length && !(own && card.in_progress)) card.body = card.behind ?? card.body;
    return card;
  };

  const render = ({ model, el }, floating) => {
    const status = h("p", { class: "authnb-hidden", role: "status", "aria-live": "polite" });
    const badge = h("div", { class: "authnb-badge", "aria-hidden": true });
    const title = h("h2", { tabindex: "-1" });
    const subtitle = h("p", { class: "authnb-muted" });
    const head = h("div", { class: "authnb-head" }, badge, h("div", {}, title, subtitle));
    const body = h("div", { class: "authnb-body" });
    const root = h("section", { class: "authnb" }, head, body, status);
    const on = root.addEventListener.bind(root);
    let drawn = "";

    const ui = {
      ticks: new Set(),
      send(message, values) {
        sentAt ||= performance.now();
        send(message, values);
      },
      announce: (text) => status.textContent === text || (status.textContent = text),
      setPending(button) {
        button.ariaDisabled = true; // `disabled` would lose the focus
        ui.announce((button.textContent = button.dataset.pending));
      },
    };

    const cancel = () => {
      const { waits, clicks_unheard, busy } = ui.card;
      const escalate = () => interrupt(ui.card).catch(() => draw((ui.busy = busy)));
      if (!waits || !busy) return;
      if (clicks_unheard) escalate();
      else cancelling = { since: performance.now(), escalate };
    };
    on("click", ({ target }) => {
      const control = target.closest("button, a");
      const { action, announce, copy: text } = control?.dataset ?? {};
      if (text) copy(control, text);
      if (text || control?.href) ui.send({ action: "opened" });
      if (announce) {
        ui.announce((body.querySelector("[data-status]") ?? status).textContent = announce);
        onReturn(() => ui.card.phase === "waiting" && ui.send({ action: "check_redirect" }));
      }
      if (action === "close") return update((behind = aborted = []));
      if (!action || control.ariaDisabled) return;
      ui.send({ ...control.dataset });
      ui.setPending(control);
      if (action === "cancel") cancel();
    });
    // Middle or right button
    on("auxclick", ({ target }) => target.closest("a") && ui.send({ action: "opened" }));
    on("submit", (event) => {
      event.preventDefault();
      const { action, pending } = event.target.dataset;
      if (!action) return;
      ui.send({ action }, Object.fromEntries(new FormData(event.target)));
      event.target.reset();
      ui.announce(pending);
    });
    // JupyterLab suppresses it
    on("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("form input")) return;
      event.preventDefault();
      event.target.form.requestSubmit();
    });

    const draw = () => {
      const card = (ui.card = cardOf(model, floating));
      const changed = root.dataset.phase !== card.phase;
      if (changed) ui.busy = "";
      const json = JSON.stringify([card, ui.busy]);
      const pasting = !changed && body.querySelector("[name=address]")?.value;
      const tick = () => ui.ticks.forEach((update) => update(Math.max(0, (deadline - performance.now()) / 1000), total));
      root.dataset.panel = panelId;
      if (json === drawn || pasting || root.matches(":active")) return tick(); // not during a click
      drawn = json;
      const opened = !changed && body.querySelector("details")?.open;
      const hadFocus = root.matches(":focus-within");
      root.dataset.phase = card.phase;
      root.lang = card.lang;
      root.ariaLabel = model.get("card").title;
      title.textContent = card.title;
      subtitle.textContent = card.subtitle;
      const picture = card.picture && !isOwnHost(card.picture) && h("img", { src: card.picture, alt: "", referrerpolicy: "no-referrer" });
      badge.replaceChildren(picture || card.badge);
      ui.ticks.clear();
      if (card.phase !== "sign_up") ui.form = null;
      body.replaceChildren(...card.body.map((node) => createNode(ui, node)), ui.busy);
      if (opened) body.querySelector("details")?.setAttribute("open", "");
      tick();
      ui.announce(`${card.title}. ${card.text}`);
      if (changed && card.waits && !floating) requestAnimationFrame(() => root.scrollIntoView?.({ block: "nearest" }));
      if (!hadFocus) return;
      body.querySelector(".authnb-primary")?.focus();
      if (!body.matches(":focus-within")) title.focus();
    };

    new IntersectionObserver((entries) => (root.dataset.seen = entries.at(-1).isIntersecting)).observe(root);
    el.append(root);
    draw();
    views.add(draw);
    return () => {
      views.delete(draw);
      setTimeout(update); // may be replaced
    };
  };

  return {
    initialize({ model }) {
      const kernel = model.widget_manager?.kernel;
      const page = pageId();
      // Form values in a binary buffer: at debug level kernels log content
      send = (message, values) =>
        model.send({ ...message, page_id: page }, undefined, values && [new TextEncoder().encode(JSON.stringify(values)).buffer]);
      const environment = watchEnvironment(send);
      const floating = createFloating((el) => render({ model, el }, true));
      const runs = watchRuns(kernel);
      const watchBehind = async (waits) => {
        const pending = await runs.behind();
        const again = pending.some((run) => !behind.includes(run));
        behind = waits ? pending : again ? [] : await runs.find("pending|aborted", behind);
        aborted = await runs.find("aborted", behind);
      };

      update = () => {
        const { in_progress, phase, waits, clicks_unheard, behind: notRun } = cardOf(model);
        if (!in_progress) cancelling = null; // an interrupt would hit the next cell
        // During a sign-in the kernel sends every second; else it replies unless busy
        const silent = sentAt && performance.now() - sentAt >= KERNEL_TIMEOUT && (in_progress || kernel?.status !== "busy");
        dead ||= silent || kernel?.isDisposed || GONE.includes(kernel?.status);
        floating.update(!dead && (own || behind.length) && panelId, phase, in_progress, !in_progress && notRun && aborted.length);
        views.forEach((draw) => draw());
        watchBehind(waits);
        const shown = views.size - floating.shown();
        if (waits && !dead && !shown && !clicks_unheard) runs.onReplaced(() => send({ action: "replaced" }));
      };
      model.on("msg:custom", ({ seconds, panel, several, asked, ...state }) => {
        [dead, sentAt] = [false, model.get("card").in_progress ? performance.now() : 0];
        if (state.state !== live.state) total = seconds;
        if (state.phase !== live.phase && model.get("card").marimo) send({ action: "phase_shown" });
        deadline = performance.now() + 1000 * (seconds ?? 0);
        own = [null, page].includes(asked);
        if (state.elsewhere && !own) state.body = state.elsewhere;
        live = state;
        panelId = panel;
        if (several) send({ action: "present" });
        environment.update(state);
        update();
        if (!cancelling || performance.now() - cancelling.since < INTERRUPT_DELAY) return;
        cancelling.escalate();
        cancelling = null;
      });
      model.on("change:card", () => {
        if (model.get("card").phase !== live.phase) live = {};
        update();
      });
      model.on("comm_live_update", () => update((dead = true)));
      sentAt = performance.now();
      send({ action: "ready", language: document.documentElement.lang });
      const timer = setInterval(update, 1000);
      const onMessage = (_, { direction }) => direction === "send" && update();
      kernel?.anyMessage?.connect(onMessage);
      return () => {
        clearInterval(timer);
        kernel?.anyMessage?.disconnect(onMessage);
        floating.remove();
        environment.close();
      };
    },

    render: (view) => render(view),
  };
};
