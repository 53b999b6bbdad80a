// The page /try tokenizes and detokenizes values without the clinic's own API. Only the open page keeps the
// tickets (tokens).

import "/forget.js";
import { $, another, busy, conceal, fileValue, handOver, onSubmit, reveal, story, textValue } from "/cloakroom.js";

async function take(value, what) {
  story(`Storing ${what}`);
  const [token] = await handOver([value]);
  addTicket(token, what);
}

function addTicket(token, what) {
  const ticket = $("ticket").content.cloneNode(true);
  const value = ticket.querySelector(".value");
  ticket.querySelector(".name").textContent = token;
  ticket.querySelector(".what").textContent = what;
  const button = ticket.querySelector(".reveal");
  button.addEventListener("click", () => busy(button, () => reveal(token, value)));
  $("no-tickets").hidden = true;
  $("tickets").prepend(ticket);
  return value;
}

onSubmit($("text-form"), async (form) => {
  await take(textValue(form.elements.text.value), "a social security number");
  form.reset();
});

onSubmit($("file-form"), async (form) => {
  const [file] = form.elements.file.files;
  await take(fileValue(file), file.name);
  form.reset();
});

onSubmit($("token-form"), async (form) => {
  const token = form.elements.token.value.trim();
  await reveal(token, addTicket(token, "a ticket from elsewhere"));
  form.reset();
});

$("new-session").addEventListener("click", (event) => busy(event.target, async () => {
  // Tickets stay, to be tried again; the former visitor's values, input and steps are removed.
  for (const value of $("tickets").querySelectorAll(".value")) conceal(value);
  for (const form of document.forms) form.reset();
  $("steps").replaceChildren();
  story("Starting another session");
  await another();
}));
