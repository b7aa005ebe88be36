// Keeps an order button's total in step with its quantity. Without this script the button names the price of what the
// server saw, and Stripe's page shows the total before anything is paid.
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-unit-cents]");
  if (!form || event.target.name !== "quantity") return;
  const quantity = Number(event.target.value);
  if (!Number.isInteger(quantity) || quantity < 1 || quantity > 100) return;
  const money = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: form.dataset.currency });
  const button = form.querySelector("button[data-label]");
  const total = money.format((quantity * Number(form.dataset.unitCents)) / 10 ** money.resolvedOptions().maximumFractionDigits);
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
