// Updates an order's total with its package and quantity. Without this script the server shows an order at another total
// again, with its own.
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-max-quantity]");
  const chosen = form?.querySelector("[name=price_id]:checked")?.dataset;
  const quantity = Number(form?.elements.namedItem("quantity").value);
  if (!chosen || !Number.isInteger(quantity) || quantity < 1 || quantity > Number(form.dataset.maxQuantity)) return;
  const digits = Number(chosen.digits); // from the server, because Intl's digits differ from Stripe's
  const money = new Intl.NumberFormat(document.documentElement.lang, {
    style: "currency",
    currency: chosen.currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  document.getElementById("ordered").textContent = `${quantity} × ${chosen.name}`;
  document.getElementById("total").textContent = money.format(quantity * Number(chosen.unitPrice));
  form.querySelector("[name=total]").value = String(quantity * Number(chosen.unitCents));
});

// Shows the current page in a row of links that is wider than the window.
for (const strip of document.querySelectorAll(".strip")) {
  const current = strip.querySelector("[aria-current=page], [aria-current=true]");
  if (current) strip.scrollLeft = current.getBoundingClientRect().left - strip.getBoundingClientRect().left;
}

// Selects a read-only field on focus, ready to be copied.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[readonly]")) event.target.select();
});
document.querySelector("input[readonly][autofocus]")?.select();

// Tells the server the visitor's time zone for the times on the next page. Without this script they are in UTC, and say
// so.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  const [prefix, secure] = location.protocol === "https:" ? ["__Host-", "; Secure"] : ["", ""];
  document.cookie = `${prefix}tz=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

// Marks a field as valid or invalid after the server validated it while the user typed.
document.addEventListener("htmx:afterSwap", (event) => {
  const field = document.getElementById(event.target.dataset?.live ?? "");
  if (!field) return;
  const wrong = event.target.querySelector(".field-error") !== null;
  if (wrong) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
});
// Sends a form once, however often its button is pressed, and shows the progress message. Without this script the server
// recognizes the repeated idempotency key.
const progress = document.getElementById("progress");
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return; // htmx sends it and disables the button
  if (event.target.ariaBusy === "true") return event.preventDefault();
  event.target.ariaBusy = "true";
  progress?.classList.add("htmx-request");
  setTimeout(release, 10_000); // the page stays: the answer was a file
});
addEventListener("pageshow", (event) => event.persisted && release()); // the back button restored the page from the cache

function release() {
  progress?.classList.remove("htmx-request");
  for (const form of document.querySelectorAll("form[aria-busy]")) form.ariaBusy = null;
}

// Restores the focus after a swap, or moves it to the content when the focused element is gone. Polls and restored pages
// do not move it.
const focused = new WeakMap(); // by request, because a field may be validated while its form is being sent
document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  const active = document.activeElement;
  if (detail.elt.contains(active)) focused.set(detail.xhr, active.id || "content");
});
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const id = focused.get(detail.xhr);
  if (!id || document.activeElement !== document.body) return;
  (document.getElementById(id) ?? document.getElementById("content"))?.focus({ preventScroll: true });
});

// Shows a message in the flash region when the server does not answer.
const messages = document.getElementById("flash");
for (const fault of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(fault, () => {
    messages.replaceChildren(document.getElementById("unreachable").content.cloneNode(true));
  });
}

// Adds the text of a new region once more, because screen readers announce only changes.
const announce = (region) => region && requestAnimationFrame(() => region.replaceChildren(...region.childNodes));
announce(messages);
document.addEventListener("htmx:afterSettle", () => announce(document.getElementById("found")));

// Dismisses a message.
document.addEventListener("click", (event) => {
  if (!event.target.matches(".flash-close")) return;
  event.target.closest(".flash").remove();
  document.getElementById("content").focus({ preventScroll: true });
});

// Removes a message of success when the next form is filled in, so that it does not cover the form's button.
document.addEventListener("input", () => messages.querySelector('[data-variant="success"]')?.remove());

// Updates the language links, because htmx changes the address without rendering the header.
document.addEventListener("htmx:pushedIntoHistory", () => {
  for (const link of document.querySelectorAll("a.language"))
    link.href = location.pathname.replace(/^\/[a-z]+/, "/" + link.hreflang) + location.search;
});

// Opens a button's confirmation dialog. Without this script the form is sent at once.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-asks]");
  if (!button) return;
  event.preventDefault();
  document.getElementById(button.dataset.asks).showModal();
});

// Copies the text that a button names. Without this script, or over plain http, the button stays hidden.
document.addEventListener("htmx:load", () => {
  for (const button of document.querySelectorAll("button[data-copies]")) button.hidden = !navigator.clipboard;
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copies]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copies);
  try {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
  } catch { // the browser refuses: the person copies what is now selected
    return source.select ? source.select() : getSelection().selectAllChildren(source);
  }
  button.textContent = button.ariaLabel = button.dataset.copied;
});
