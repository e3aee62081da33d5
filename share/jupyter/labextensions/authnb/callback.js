// The redirect URI of `mode="page"`: posts the authorization response to the panel that knows its state, on a
// BroadcastChannel, so only pages of this origin receive it. The response is removed from the address bar and the history.

// A Hub that redirects may prepend a query of its own; the response is then in the fragment.
const parse = (part) => new URLSearchParams(part.slice(1));
const response = [location.hash, location.search].find((part) => parse(part).has("state")) ?? "";
const address = location.origin + location.pathname + response;
history.replaceState(null, "", location.pathname);

const show = (title, text, ...more) => {
  const [heading, paragraph] = ["h1", "p"].map((name) => document.createElement(name));
  [heading.textContent, paragraph.textContent] = [title, text];
  document.querySelector("main").replaceChildren(heading, paragraph, ...more);
};

const addressField = () => {
  const input = document.createElement("input");
  input.readOnly = true;
  input.value = address;
  input.setAttribute("aria-label", "Address to paste");
  input.onfocus = () => input.select();
  return input;
};

const parameters = parse(response);
const state = parameters.get("state");
if (!state) {
  show("Nothing here", "This address takes the answer to a sign-in, and nothing else.");
} else {
  const channel = new BroadcastChannel(`authnb:${state}`);
  const unclaimed = setTimeout(
    () =>
      show(
        "No notebook took the answer",
        "Is the one that waits for it open in this browser? Otherwise paste this address into its panel:",
        addressField(),
      ),
    3000,
  );
  channel.onmessage = ({ data }) => {
    if (data !== "received") return;
    clearTimeout(unclaimed);
    show(
      parameters.has("error") ? "You were not signed in" : "Go back to your notebook",
      parameters.has("error") ? "Your notebook says why, and what to do." : "It has the answer, and shows what came of it. You can close this tab.",
    );
  };
  channel.postMessage({ response });
}
