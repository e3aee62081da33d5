// Hands what the provider sent the browser back with to the panel that waits for it: the one that knows the state.
// The address is taken out of the bar and the history at once. Nothing is sent anywhere but to pages of this origin.

// A Hub that passes browsers on may add a query of its own before a fragment.
const parse = (part) => new URLSearchParams(part.slice(1));
const answer = [location.hash, location.search].find((part) => parse(part).has("state")) ?? "";
const address = location.origin + location.pathname + answer;
history.replaceState(null, "", location.pathname);

const show = (title, text, ...more) => {
  const [heading, words] = ["h1", "p"].map((name) => document.createElement(name));
  [heading.textContent, words.textContent] = [title, text];
  document.querySelector("main").replaceChildren(heading, words, ...more);
};

const field = () => {
  const input = document.createElement("input");
  input.readOnly = true;
  input.value = address;
  input.setAttribute("aria-label", "Address to paste");
  input.onfocus = () => input.select();
  return input;
};

const parameters = parse(answer);
const state = parameters.get("state");
if (!state) {
  show("Nothing here", "This address takes the answer to a sign-in, and nothing else.");
} else {
  const channel = new BroadcastChannel(`authnb:${state}`);
  const nobody = setTimeout(
    () =>
      show(
        "No notebook took the answer",
        "Is the one that waits for it open in this browser? Otherwise paste this address into its panel:",
        field(),
      ),
    3000,
  );
  channel.onmessage = ({ data }) => {
    if (data !== "taken") return;
    clearTimeout(nobody);
    show(
      parameters.has("error") ? "You were not signed in" : "Go back to your notebook",
      parameters.has("error") ? "Your notebook says why, and what to do." : "It has the answer and goes on by itself. You can close this tab.",
    );
  };
  channel.postMessage({ answer });
}
