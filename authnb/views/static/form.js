// The sign-up form: a state of the panel that only sign-ups have, appended to panel.js for them. What is typed stays in the DOM until it is sent as a message, and is
// dropped with the form.

let lastId = 0;

const strength = (password) => {
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter((kind) => kind.test(password)).length;
  const varied = new Set(password).size > 4;
  return varied ? Math.min(4, Math.floor(password.length / 6) + (kinds > 2 ? 1 : 0)) : Math.min(1, password.length);
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
  const id = `authnb-${Date.now().toString(36)}-${++lastId}`;
  const secret = field.kind === "password";
  const input = h("input", {
    id,
    type: field.kind,
    name: field.name,
    autocomplete: secret ? "new-password" : { email: "email", name: "username" }[field.name] ?? "off",
    spellcheck: "false",
    autocapitalize: "none",
    "aria-required": String(field.required),
    "aria-describedby": `${id}-said`,
  });
  const said = h("small", { id: `${id}-said`, "aria-live": "polite" }, field.help);
  const meter = secret && !field.same_as && h("span", { class: "authnb-meter", "aria-hidden": "true" }, [1, 2, 3, 4].map(() => h("i")));
  const show = button("Show", "", () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    show.textContent = shown ? "Show" : "Hide";
    show.ariaPressed = String(!shown);
  });
  show.ariaLabel = `Show ${field.label}`;
  show.ariaPressed = "false";
  const tell = (text) => {
    if ((said.textContent = text || field.help) && text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    said.className = text ? "authnb-note" : "authnb-quiet";
  };
  let visited = false;
  const check = (sending) => {
    const text = problem(field, input.value, form.values(), sending);
    if (visited || sending || !text) tell(text);
    return text;
  };
  input.addEventListener("blur", () => (visited = visited || input.value !== "") && check());
  input.addEventListener("input", () => {
    meter && [...meter.children].forEach((bar, n) => bar.classList.toggle("on", n < strength(input.value)));
    form.fields.forEach((other) => (other === self || other.field.same_as === field.name) && other.check());
  });
  const self = { field, input, tell, check };
  self.node = h("div", { class: "authnb-field" }, h("label", { for: id }, field.label), secret ? row(input, show) : input, meter, said);
  if (secret) input.classList.add("authnb-grow");
  tell("");
  return self;
};

const newForm = (ui) => {
  const form = { tries: 0, values: () => Object.fromEntries(form.fields.map(({ field, input }) => [field.name, input.value])) };
  form.fields = [];
  form.fields = ui.live.form.fields.map((field) => fieldOf(field, form));
  const note = h("p", { class: "authnb-note", role: "alert" });
  const send = h("button", { class: "authnb-primary" }, "Create account");
  const first = (bad) => form.fields.find(bad)?.input.focus();
  const submit = (event) => {
    event.preventDefault();
    if (send.ariaDisabled) return;
    const bad = form.fields.filter((field) => field.check(true));
    if (bad.length) return first((field) => bad.includes(field));
    send.ariaDisabled = "true";
    send.textContent = "Creating the account …";
    ui.say(send.textContent);
    ui.send({ do: "fill" }, form.values());
  };
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
  form.node = h("form", { class: "authnb-form", novalidate: true, onsubmit: submit }, form.fields.map(({ node }) => node), note, row(send, ui.cancel()));
  return form;
};

bodies.sign_up = (ui) => {
  const why = h("p", {}, ui.card.why);
  if (!ui.live.form) return [why];
  ui.form ??= newForm(ui);
  setTimeout(() => ui.live.form && ui.form?.answered(ui.live.form));
  return [why, ui.form.node, row(switcher(ui, "authnb-plain"))];
};
