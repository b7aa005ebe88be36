// Keeps an order button's total in step with its quantity. Without this script the button names the price of what the
// server saw, and Stripe's page shows the total before anything is paid.
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-unit-price]");
  if (!form || event.target.name !== "quantity") return;
  const quantity = Number(event.target.value);
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > 100) return;
  const digits = Number(form.dataset.digits); // the server's: Intl does not know how Stripe counts
  const money = new Intl.NumberFormat(document.documentElement.lang, {
    style: "currency",
    currency: form.dataset.currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  const button = form.querySelector("button[data-label]");
  const total = money.format(quantity * Number(form.dataset.unitPrice));
  button.textContent = button.dataset.label.replace("{price}", total);
});

// A field that is there to be copied from is selected as soon as one is in it. Without this script the keyboard does it.
document.addEventListener("focusin", (event) => {
  if (event.target.matches("input[readonly]")) event.target.select();
});
document.querySelector("input[readonly][autofocus]")?.select();

// Tells the server the visitor's time zone, so that the next page writes its times in it. Without this script they are in
// UTC, and say so.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `tz=${zone}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
}

// What the server says below a field while somebody types also tells whether the field is right. Without this script it
// says so when the form is sent.
document.addEventListener("htmx:afterSwap", (event) => {
  const field = document.getElementById(event.target.dataset?.live ?? "");
  if (!field) return;
  const wrong = event.target.querySelector(".field-error") !== null;
  if (wrong) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
});
// A form that leaves the page is sent once, however often its button is pressed, and says so when that takes its time.
// Without this script the server sees the same key twice and does the work once.
const progress = document.getElementById("progress");
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.target.method !== "post") return; // htmx sends it and disables its button
  if (event.target.ariaBusy === "true") return event.preventDefault();
  event.target.ariaBusy = "true";
  progress?.classList.add("htmx-request");
  setTimeout(release, 10_000); // it was not left after all: a file was sent
});
addEventListener("pageshow", (event) => event.persisted && release()); // back to a page that was kept as it was left

function release() {
  progress?.classList.remove("htmx-request");
  for (const form of document.querySelectorAll("form[aria-busy]")) form.ariaBusy = null;
}

// What had the focus has it again after a swap, though its button was disabled meanwhile; where it is gone, the content
// has it. A page that is restored or merely polls moves nobody.
let focused = null;
document.addEventListener("htmx:beforeRequest", (event) => {
  const active = document.activeElement;
  focused = event.detail.elt.contains(active) ? active.id || "content" : null;
});
document.addEventListener("htmx:afterSettle", () => {
  if (!focused || document.activeElement !== document.body) return;
  (document.getElementById(focused) ?? document.getElementById("content"))?.focus({ preventScroll: true });
  focused = null;
});

// A server that does not answer at all is a fault like any other, and is told in the same place.
for (const fault of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(fault, () => {
    const region = document.getElementById("flash");
    const message = document.createElement("p");
    message.className = "flash";
    message.dataset.variant = "danger";
    message.role = "alert";
    message.textContent = region.dataset.unreachable;
    region.replaceChildren(message);
  });
}

// The other language is that of the address shown, which htmx changes without the header.
document.addEventListener("htmx:pushedIntoHistory", () => {
  for (const link of document.querySelectorAll("a.language"))
    link.href = location.pathname.replace(/^\/[a-z]+/, "/" + link.hreflang) + location.search;
});

// Asks once more before the form of a button is sent. Without a script the form is sent at once.
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-asks]");
  if (!button) return;
  event.preventDefault();
  document.getElementById(button.dataset.asks).showModal();
});
