// Renders the form that form.py describes; appended to panel.js. Values stay in the DOM until they are submitted.

const strength = (password) => {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length;
  if (new Set(password).size < 5) return Math.min(1, password.length);
  return Math.min(4, Math.floor(password.length / 6) + (kinds > 2));
};

const validate = ({ value, validity, dataset, form }, submitting) => {
  const { min, max, missing, short, long, invalid, sameAs, differs } = dataset;
  const length = [...value].length;
  if (!value) return (submitting && missing) || "";
  if (sameAs && value !== form.elements.namedItem(sameAs)?.value) return differs;
  return length < min ? short : length > max ? long : validity.valid ? "" : invalid;
};

const createForm = (ui, children) => {
  const node = h("form", { class: "authnb-form", novalidate: true }, children);
  const inputs = [...node.querySelectorAll("input")];
  const submit = node.querySelector(".authnb-primary");
  const label = submit.textContent;
  const hint = (input) => input.closest(".authnb-field").lastChild;
  const showError = (input, text) => {
    hint(input).textContent = text || input.dataset.help;
    hint(input).className = text ? "authnb-error" : "authnb-muted";
    input.ariaInvalid = text ? true : null;
  };
  const check = (input, submitting) => {
    const text = validate(input, submitting);
    if (input.dataset.touched || submitting || !text) showError(input, text);
    return text;
  };
  for (const input of inputs) {
    input.id = `authnb-${Math.random()}`;
    input.closest(".authnb-field").firstChild.htmlFor = input.id;
    hint(input).id = `${input.id}-hint`;
    input.setAttribute("aria-describedby", hint(input).id);
    showError(input, "");
  }

  node.addEventListener("focusout", ({ target: input }) => {
    if (!inputs.includes(input) || !input.value) return;
    input.dataset.touched = true;
    check(input);
  });
  node.addEventListener("input", ({ target }) => {
    const bars = target.closest(".authnb-field").querySelectorAll("i");
    bars.forEach((bar, n) => bar.classList.toggle("on", n < strength(target.value)));
    inputs.forEach((input) => (input === target || input.dataset.sameAs === target.name) && check(input));
  });
  node.addEventListener("click", ({ target: toggle }) => {
    if (!toggle.ariaPressed) return;
    const shown = toggle.ariaPressed === "true";
    toggle.previousSibling.type = shown ? "password" : "text";
    toggle.textContent = toggle.dataset[shown ? "show" : "hide"];
    toggle.ariaPressed = !shown;
  });
  node.addEventListener("submit", () => {
    if (submit.ariaDisabled) return;
    const invalid = inputs.filter((input) => check(input, true));
    if (invalid.length) return invalid[0].focus();
    ui.setPending(submit);
    ui.send({ action: "submit_form" }, Object.fromEntries(new FormData(node)));
  });

  let seen = 0;
  const update = ({ errors, tries }) => {
    if (tries === seen) return;
    seen = tries;
    submit.ariaDisabled = null;
    submit.textContent = label;
    node.querySelector("[role=alert]").textContent = errors[""] ?? "";
    const invalid = inputs.filter(({ name }) => errors[name]);
    invalid.forEach((input) => showError(input, errors[input.name]));
    invalid[0]?.focus();
  };
  return { node, update };
};

components["sign-up-form"] = (ui, _, children) => {
  ui.form ??= createForm(ui, children);
  setTimeout(() => ui.form?.update(ui.card));
  return ui.form.node;
};
