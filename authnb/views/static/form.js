// Brings the form that form.py describes to life; appended to panel.js for sign-ups. What is typed stays in the DOM until
// it is sent, and is dropped with the form.

const strength = (password) => {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length;
  if (new Set(password).size < 5) return Math.min(1, password.length);
  return Math.min(4, Math.floor(password.length / 6) + (kinds > 2));
};

const problem = ({ value, validity, dataset, ariaRequired, form }, sending) => {
  const length = [...value].length;
  if (!value) return sending && ariaRequired ? "Please fill this in." : "";
  if (dataset.same && value !== form.elements.namedItem(dataset.same)?.value) return "The two differ.";
  if (length < dataset.least) return `At least ${dataset.least} characters.`;
  if (length > dataset.most) return `At most ${dataset.most} characters.`;
  return validity.valid ? "" : dataset.misfit;
};

const formOf = (ui, children) => {
  const node = h("form", { class: "authnb-form", novalidate: true }, children);
  const inputs = [...node.querySelectorAll("input")];
  const send = node.querySelector(".authnb-primary");
  const label = send.textContent;
  const said = (input) => input.closest(".authnb-field").lastChild;
  const tell = (input, text) => {
    said(input).textContent = text || input.dataset.help;
    said(input).className = text ? "authnb-note" : "authnb-quiet";
    input.ariaInvalid = text ? "true" : null;
  };
  const check = (input, sending) => {
    const text = problem(input, sending);
    if (input.dataset.visited || sending || !text) tell(input, text);
    return text;
  };
  for (const input of inputs) {
    input.id = `authnb-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
    input.closest(".authnb-field").firstChild.htmlFor = input.id;
    said(input).id = `${input.id}-said`;
    input.setAttribute("aria-describedby", said(input).id);
    tell(input, "");
  }

  node.addEventListener("focusout", ({ target: input }) => {
    if (!inputs.includes(input) || !input.value) return;
    input.dataset.visited = true;
    check(input);
  });
  node.addEventListener("input", ({ target }) => {
    const bars = target.closest(".authnb-field").querySelectorAll("i");
    bars.forEach((bar, n) => bar.classList.toggle("on", n < strength(target.value)));
    inputs.forEach((input) => (input === target || input.dataset.same === target.name) && check(input));
  });
  node.addEventListener("click", ({ target: show }) => {
    if (!show.ariaPressed) return;
    const shown = show.ariaPressed === "true";
    show.previousSibling.type = shown ? "password" : "text";
    show.textContent = shown ? "Show" : "Hide";
    show.ariaPressed = String(!shown);
  });
  node.addEventListener("submit", () => {
    if (send.ariaDisabled) return;
    const bad = inputs.filter((input) => check(input, true));
    if (bad.length) return bad[0].focus();
    ui.busy(send, send.dataset.busy);
    ui.send({ do: "fill" }, Object.fromEntries(new FormData(node)));
  });

  let tried = 0;
  // The provider has looked too
  const answered = ({ errors, tries }) => {
    if (tries === tried) return;
    tried = tries;
    send.ariaDisabled = null;
    send.textContent = label;
    node.querySelector("[role=alert]").textContent = errors[""] ?? "";
    const bad = inputs.filter(({ name }) => errors[name]);
    bad.forEach((input) => tell(input, errors[input.name]));
    bad[0]?.focus();
  };
  return { node, answered };
};

makers["sign-up-form"] = (ui, _, children) => {
  ui.form ??= formOf(ui, children);
  setTimeout(() => ui.form?.answered(ui.card));
  return ui.form.node;
};
