// What only this page knows: its own address, what answers there, and whether this browser reaches the kernel's
// machine. The kernel is told; it decides. And the way back from the callback page, which is a page like this one.

const answers = async (address, headers) => {
  try {
    return (await fetch(address, { headers, signal: AbortSignal.timeout(5000) })).ok;
  } catch (error) {
    return error.name === "TimeoutError" ? null : false; // who is slow may be there
  }
};

const lookAround = async (send) => {
  const { baseUrl, fullLabextensionsUrl, headers } = jupyter();
  if (!baseUrl) return;
  const page = `${fullLabextensionsUrl ?? `${baseUrl}lab/extensions`}/authnb/callback.html`;
  // A Hub wants the header even here
  const [paged, proxied] = await Promise.all([answers(page), answers(`${baseUrl}server-proxy/servers-info`, headers)]);
  send({ do: "place", origin: location.origin, base_url: baseUrl, page: paged ? page : null, proxied: proxied === true });
};

// A page from elsewhere asks nothing of this machine: browsers would ask the person whether it may.
const probe = async (address, send) => {
  if (!["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) return;
  const reached = await answers(address);
  if (reached !== null) send({ do: "reach", reached });
};

// Whoever comes back without an answer may have met a provider that refuses the address it would go to.
const whenBack = (look) => window.addEventListener("focus", () => setTimeout(look, 1000), { once: true });

// The callback page says what it was opened with to whoever listens on the channel of that state.
const listen = (address, send) => {
  const asked = new URL(address).searchParams;
  const channel = new BroadcastChannel(`authnb:${asked.get("state")}`);
  channel.onmessage = ({ data }) => {
    if (typeof data?.answer !== "string") return;
    send({ do: "redirect" }, { address: asked.get("redirect_uri") + data.answer });
    channel.postMessage("taken");
  };
  return channel;
};

const around = (send) => {
  let [known, channel] = [];
  lookAround(send);
  const hear = ({ address, probe: place }) => {
    if (address === known) return;
    known = address;
    channel?.close();
    channel = address?.includes("redirect_uri=") ? listen(address, send) : null;
    if (place) probe(place, send);
  };
  return { hear, close: () => channel?.close() };
};
