// What only this page knows: its address, which callback pages respond, whether it reaches the kernel's loopback.

const responds = async (url, headers) => {
  try {
    return (await fetch(url, { headers, signal: AbortSignal.timeout(5000) })).ok;
  } catch (error) {
    return error.name === "TimeoutError" ? null : false; // null: unknown
  }
};

const reportServer = async (send) => {
  const { baseUrl, fullLabextensionsUrl, headers } = serverConfig();
  if (!baseUrl) return;
  const page = `${fullLabextensionsUrl ?? `${baseUrl}lab/extensions`}/authnb/callback.html`;
  // JupyterHub checks XSRF even here
  const [paged, proxied] = await Promise.all([responds(page), responds(`${baseUrl}server-proxy/servers-info`, headers)]);
  send({ action: "report_server", origin: location.origin, base_url: baseUrl, page: paged ? page : null, proxied: proxied === true });
};

// Elsewhere browsers ask for permission
const probeLoopback = async (url, send) => {
  if (!["127.0.0.1", "localhost", "[::1]"].includes(location.hostname)) return;
  const reached = await responds(url);
  // Also false as the page is left: then no timer runs
  if (reached !== null) setTimeout(send, reached ? 0 : 1000, { action: "report_loopback", reached });
};

const onReturn = (check) => window.addEventListener("focus", () => setTimeout(check, 1000), { once: true });

// The callback page posts the authorization response to the channel named after its state
const relayCallback = ({ state, redirect_uri }, send) => {
  const channel = new BroadcastChannel(`authnb:${state}`);
  channel.onmessage = ({ data }) => {
    if (typeof data?.response !== "string") return;
    send({ action: "submit_redirect" }, { address: redirect_uri + data.response });
    channel.postMessage("received");
  };
  return channel;
};

const watchEnvironment = (send) => {
  let [current, channel] = [];
  reportServer(send);
  const update = (live) => {
    if (live.state === current) return;
    current = live.state;
    channel?.close();
    channel = current && relayCallback(live, send);
    if (live.probe) probeLoopback(live.probe, (report) => live.state === current && send(report));
  };
  return { update, close: () => channel?.close() };
};
