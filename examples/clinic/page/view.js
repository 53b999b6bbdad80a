// Pieces of the clinic's page.

import { $, busy, reveal } from "/cloakroom.js";

// make creates an element with properties and children; strings become text nodes.
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// The last ticket that was opened, and its user. A ticket alone opens nothing, so the page may keep it when the user changes.
const FORMER = "clinic-former-ticket";
export const former = () => JSON.parse(sessionStorage.getItem(FORMER) ?? "null");

// explain returns the meaning of a code for the user.
export function explain(error) {
  switch (error.code) {
    case "GRANT_REQUIRED":
      return "Your session holds no grant for this ticket. The clinic creates grants for the tickets that it returns to "
        + "you, and it returns those of your own patients only. A grant also ends: then load the patient again.";
    case "UNAUTHENTICATED":
      return "Your session has ended: log in again.";
    case "SESSION_CHANGED":
      return "Another user has signed in in this browser: reload the page.";
    default:
      return "";
  }
}

// ticket shows a token, and its value on request. A problem is the error for it in the clinic's response.
export function ticket(token, what, viewer, problem) {
  const held = $("ticket").content.cloneNode(true).firstElementChild;
  held.querySelector(".what").textContent = what;
  held.querySelector(".name").textContent = token;
  const value = held.querySelector(".value");
  const button = held.querySelector(".reveal");
  button.addEventListener("click", () => busy(button, async () => {
    if (await reveal(token, value, explain)) {
      sessionStorage.setItem(FORMER, JSON.stringify({ token, what, by: viewer.name }));
    }
  }));
  if (problem) {
    value.hidden = false;
    value.className = "value refused";
    value.textContent = `${problem.extensions?.code}: ${problem.message}`;
  }
  return held;
}

const when = (moment) => new Date(moment).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });

// entry shows a note or a document.
export function entry(item, viewer, named = false) {
  const line = make("li");
  line.dataset.testid = item.__typename === "Note" ? "note" : "document";
  const about = named ? `${item.patientName} · ` : "";
  if (item.__typename === "Note") {
    line.append(make("p", { className: "hint", textContent: `${about}${item.author}, ${when(item.writtenAt)}` }),
      ticket(item.body, "Note", viewer));
    for (const attachment of item.attachments) line.append(ticket(attachment, "Attachment", viewer));
  } else {
    line.append(make("p", { className: "hint", textContent: `${about}${when(item.addedAt)}` }), ticket(item.file, item.title, viewer));
  }
  return line;
}

// picture returns an image file like an X-ray.
export function picture() {
  const canvas = make("canvas", { width: 320, height: 240 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#0b1020";
  pen.fillRect(0, 0, 320, 240);
  pen.strokeStyle = "rgba(214, 226, 255, .75)";
  pen.lineCap = "round";
  for (let rib = 0; rib < 7; rib++) {
    pen.lineWidth = 9 - rib * 0.6;
    pen.beginPath();
    pen.ellipse(160, 50 + rib * 26, 96 - Math.abs(rib - 3) * 8, 17, 0, Math.PI * 0.06, Math.PI * 0.94);
    pen.stroke();
  }
  pen.lineWidth = 15;
  pen.setLineDash([13, 11]);
  pen.beginPath();
  pen.moveTo(160, 18);
  pen.lineTo(160, 232);
  pen.stroke();
  return new Promise((resolve) => canvas.toBlob((blob) => resolve(new File([blob], "x-ray.png", { type: "image/png" })), "image/png"));
}
