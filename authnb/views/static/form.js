// The sign-up form, appended to panel.js for sign-ups. What is typed stays in the DOM until it is sent, and is dropped
// with the form.

const strength = (password) => {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length;
  if (new Set(password).size < 5) return Math.min(1, password.length);
  return Math.min(4, Math.floor(password.length / 6) + (kinds > 2 ? 1 : 0));
};

const problem = (field, value, values, sending) => {
  const length = [...value].length;
  if (!value) return field.required && sending ? "Please fill this in." : "";
  if (field.same_as && value !== values[field.same_as]) return "The two differ.";
  if (field.min_length > length) return `At least ${field.min_length} characters.`;
  if (field.max_length && field.max_length < length) return `At most ${field.max_length} characters.`;
  if (field.kind === "email" && !/^[^@\s]+@[^@\s]+\.[^@\s.]+$/.test(value)) return "This address is not complete.";
  try {
    if (field.pattern && !new RegExp(`^(?:${field.pattern})$`, "u").test(value)) return field.help || "This does not fit.";
  } catch {
    // a pattern that is none is the provider's to check
  }
  return "";
};

const fieldOf = (field, form) => {
  const id = `authnb-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const secret = field.kind === "password";
  const input = h("input", {
    id,
    type: field.kind,
    name: field.name,
    class: "authnb-grow",
    autocomplete: secret ? "new-password" : ({ email: "email", name: "username" }[field.name] ?? "off"),
    spellcheck: "false",
    autocapitalize: "none",
    "aria-required": String(field.required),
    "aria-describedby": `${id}-said`,
  });
  const said = h("small", { id: `${id}-said`, "aria-live": "polite" });
  const meter = h("span", { class: "authnb-meter", "aria-hidden": "true" }, secret && !field.same_as ? [1, 2, 3, 4].map(() => h("i", {})) : []);
  const show = h("button", { type: "button", "aria-label": `Show ${field.label}`, "aria-pressed": "false" }, "Show");
  show.addEventListener("click", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    show.textContent = shown ? "Show" : "Hide";
    show.ariaPressed = String(!shown);
  });
  const tell = (text) => {
    said.textContent = text || field.help;
    said.className = text ? "authnb-note" : "authnb-quiet";
    input.ariaInvalid = text ? "true" : null;
  };
  let visited = false;
  const check = (sending) => {
    const text = problem(field, input.value, form.values(), sending);
    if (visited || sending || !text) tell(text);
    return text;
  };
  input.addEventListener("blur", () => (visited ||= input.value !== "") && check());
  input.addEventListener("input", () => {
    [...meter.children].forEach((bar, n) => bar.classList.toggle("on", n < strength(input.value)));
    form.fields.forEach((other) => (other === self || other.field.same_as === field.name) && other.check());
  });
  const line = h("div", { class: "authnb-row" }, input, secret ? show : []);
  const node = h("div", { class: "authnb-field" }, h("label", { for: id }, field.label), line, meter, said);
  const self = { field, input, tell, check, node };
  tell("");
  return self;
};

const formOf = (ui, buttons) => {
  const form = { tries: 0, values: () => Object.fromEntries(new FormData(form.node)) };
  form.fields = ui.live.form.fields.map((field) => fieldOf(field, form));
  const note = h("p", { class: "authnb-note", role: "alert" });
  const send = h("button", { class: "authnb-primary" }, "Create account");
  const first = (bad) => form.fields.find(bad)?.input.focus();
  const row = h("div", { class: "authnb-row" }, send, buttons);
  form.node = h("form", { class: "authnb-form", novalidate: true }, form.fields.map(({ node }) => node), note, row);
  form.node.addEventListener("submit", () => {
    if (send.ariaDisabled) return;
    const bad = form.fields.filter((field) => field.check(true));
    if (bad.length) return first((field) => bad.includes(field));
    ui.busy(send, "Creating the account …");
    ui.send({ do: "fill" }, form.values());
  });
  // The provider has looked too
  form.answered = ({ errors, tries }) => {
    if (tries === form.tries) return;
    form.tries = tries;
    send.ariaDisabled = null;
    send.textContent = "Create account";
    note.textContent = errors[""] ?? "";
    form.fields.forEach(({ field, tell }) => errors[field.name] && tell(errors[field.name]));
    first(({ field }) => errors[field.name]);
  };
  return form;
};

makers["sign-up-form"] = (ui, _, buttons) => {
  ui.form ??= formOf(ui, buttons);
  setTimeout(() => ui.form?.answered(ui.live.form));
  return ui.form.node;
};
