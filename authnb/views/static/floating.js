// A card at the edge of the page, for a sign-in whose panel nobody sees

const LINGER = 5000; // ms for which the outcome stays

const idIn = (storage) => {
  const id = Math.random().toString(36).slice(2);
  try {
    return (window[storage].authnbPage ??= id);
  } catch {
    return id; // in a sandboxed frame
  }
};
// Of browser and page, also after a reload. No secret: every page may run code in the kernel
const pageId = () => `${idIn("localStorage")}.${idIn("sessionStorage")}`;

const createFloating = (render) => {
  let [element, close, lostAt, endAt] = [];
  const remove = () => {
    close?.();
    element?.remove();
    element = endAt = null;
  };
  const isSeen = (panel) => document.querySelector(`.authnb[data-panel="${panel}"][data-seen=true]:not(.authnb-floating *)`);
  return {
    remove,
    shown: () => !!element,
    update(panel, phase, inProgress, notRun) {
      const now = performance.now();
      if (!panel || !document.getElementById("jupyter-config-data") || (isSeen(panel) && !notRun)) {
        lostAt = null;
        remove();
      } else if (notRun || (inProgress && phase !== "starting")) {
        lostAt ??= now;
        endAt = null;
        if (element || now - lostAt < 300) return; // a moved cell is drawn again
        element = h("div", { class: "authnb-floating" });
        document.body.append(element);
        close = render(element);
      } else if (element) {
        endAt ??= now + LINGER;
        if (phase === "cancelled" || (now > endAt && !element.matches(":hover, :focus-within"))) remove();
      }
    },
  };
};

// This page's runs of cells
const watchRuns = (kernel) => {
  const stateOf = ({ done }) => Promise.race([done, null]).then((reply) => reply?.content.status ?? "pending", () => "disposed");
  const find = async (state, runs = [...(kernel?._futures?.values() ?? [])]) => {
    const states = await Promise.all(runs.map(stateOf));
    return runs.filter(({ msg }, n) => msg.metadata?.cellId && states[n].match(state));
  };
  const atStart = find("pending");
  let told;
  return {
    // Tells each second (early messages wait behind the cell) that the panel's cell was run again, with nothing queued
    // behind its first run (Run All)
    async onReplaced(tell) {
      const [first, ...queued] = await atStart;
      if (told || !first || (await stateOf(first)) !== "disposed" || (await find("pending|disposed", queued)).length) return;
      if (!(await find("pending")).some(({ msg }) => msg.metadata.cellId === first.msg.metadata.cellId) || told) return;
      told = setTimeout(() => (told = 0), 1000);
      tell();
    },
    // Those behind a sign-in that this page did not begin
    behind: async () => ((await atStart).length ? [] : find("pending")),
    find,
  };
};
