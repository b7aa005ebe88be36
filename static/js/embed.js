// The credits in Resume Matcher's pages: what is left and what things cost, and, when an action needs more credits than
// there are, a dialog that keeps the page waiting until they have been bought. The server puts this script in front of
// the pages' own. If the server is gone, it does nothing.
(() => {
  const { user, styles } = document.currentScript.dataset;
  forgetOthers();
  const fetchPage = window.fetch.bind(window);
  window.fetch = fetchWithCredits;
  let box; // the shadow root, once the page is drawn
  let asking; // the dialog's promise, while it is open
  addEventListener("load", () => setTimeout(() => refresh(), 0)); // after the page's own scripts have taken over
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && box && refresh());

  // forgetOthers empties the page's storage when another user has left something there, before the page reads it.
  function forgetOthers() {
    try {
      const last = localStorage.getItem("credits_user");
      if (last && last !== user) localStorage.clear();
      if (last !== user) localStorage.setItem("credits_user", user);
    } catch {
      // the browser keeps no storage
    }
  }

  async function fetchWithCredits(input, init) {
    for (;;) {
      const again = input instanceof Request ? input.clone() : input; // a body is read once
      const answer = await fetchPage(input, init);
      const taken = answer.headers.get("X-Credits-Charged");
      if (taken) refresh({ taken, feature: answer.headers.get("X-Credits-Feature") ?? "" });
      if (answer.status !== 402 || !(await bought(answer, init?.signal ?? input.signal))) return answer;
      input = again;
    }
  }

  // bought asks to buy the credits that an answer says are missing, and waits for them. It is false when the person
  // declines, when the page gives up, and when the answer is not ours.
  async function bought(answer, signal) {
    try {
      const { error } = await answer.clone().json();
      if (error.code !== "INSUFFICIENT_CREDITS") return false;
      const { required, missing, feature } = error.detail;
      asking ??= ask({ required, missing, feature }).finally(() => (asking = undefined));
      return await Promise.race([asking, aborted(signal)]);
    } catch {
      return false;
    }
  }

  function aborted(signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) resolve(false);
      signal?.addEventListener("abort", () => resolve(false), { once: true });
    });
  }

  async function ask({ required, missing, feature }) {
    const state = await refresh({ missing, required, feature, returnUrl: location.origin + location.pathname });
    if (!state) return false;
    const { title, text, held = [], offer, buy, url, decline, waiting } = state.shortage;
    const dialog = element("dialog", { "aria-labelledby": "title", "aria-describedby": "text held offer" });
    const status = element("p", { role: "status" });
    const link = url && element("a", { class: "buy", href: url, target: "_blank", rel: "opener" }, buy);
    const close = element("button", { type: "button" }, decline);
    const notes = held.map((note) => element("p", {}, `${note.text} `,
      note.url && element("a", { href: note.url, target: "_blank", rel: "opener" }, note.link)));
    dialog.append(element("h2", { id: "title" }, title), element("p", { id: "text" }, text),
      element("div", { id: "held" }, ...notes), element("p", { id: "offer" }, offer), status, element("div", { class: "actions" }, link, close));
    box.append(dialog);
    dialog.showModal();
    (link ?? close).focus();
    return new Promise((resolve) => {
      const end = (result) => {
        clearInterval(timer);
        removeEventListener("focus", look);
        dialog.close(); // returns the focus
        dialog.remove();
        resolve(result);
      };
      const look = async () => {
        const now = await refresh();
        if (now && now.available >= required) end(true);
      };
      const timer = setInterval(look, 3000);
      addEventListener("focus", look);
      link?.addEventListener("click", () => (status.textContent = waiting));
      close.addEventListener("click", () => end(false));
      dialog.addEventListener("cancel", () => end(false)); // Escape
    });
  }

  // refresh reads the balance, draws it, and returns what the server says; undefined if it does not answer.
  async function refresh(query = {}) {
    try {
      const answer = await fetchPage(`/credits/embed.json?${new URLSearchParams(query)}`, { cache: "no-store" });
      if (!answer.ok) return undefined;
      const state = await answer.json();
      draw(state);
      return state;
    } catch {
      return undefined;
    }
  }

  function draw({ balance, taken, link, url, costs, features }) {
    box ??= shadow();
    box.querySelector("summary").textContent = balance;
    const rows = features.map(({ label, credits, text = "" }) =>
      element("li", {}, element("span", {}, label), element("b", {}, credits), element("p", {}, text)));
    box.querySelector("details > div").replaceChildren(element("h2", {}, costs), element("ul", {}, ...rows), element("a", { href: url }, link));
    if (!taken) return;
    const toast = box.querySelector("output");
    toast.textContent = taken;
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => (toast.textContent = ""), 8000);
  }

  // shadow makes the element that the page's styles do not reach, outside of what the page draws. The element is as high
  // as the bar at the window's foot, and the page scrolls what has the focus above the bar.
  function shadow() {
    const host = document.documentElement.appendChild(element("credits-balance"));
    const root = host.attachShadow({ mode: "open" });
    const style = element("link", { rel: "stylesheet", href: styles });
    style.addEventListener("load", () => (document.documentElement.style.scrollPaddingBottom = `${host.offsetHeight}px`));
    root.append(style, element("div", { class: "bar" }, element("output"), element("details", {}, element("summary"), element("div"))));
    return root;
  }

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children.filter((child) => child !== undefined));
    return made;
  }
})();
