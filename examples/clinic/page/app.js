// The clinic's page. It asks the application for a session token, the gateway for signed requests, and
// sends and fetches the value at the object store. Everything that comes from outside is shown
// as text, never as markup.

const graphqlURL = document.documentElement.dataset.graphql;
const $ = (id) => document.getElementById(id);

const TOKENIZE = `mutation Tokenize($input: TokenizeInput) {
  tokenize(input: $input) { token upload { method url headers { name value } } }
}`;
const DETOKENIZE = `mutation Detokenize($token: TokenID!) {
  detokenize(token: $token) {
    download { method url headers { name value } }
    metadata { filename contentType }
  }
}`;

// A failure that a person can be told, with the gateway's code where there is one.
class Refusal extends Error {
  constructor(message, code) {
    super(code ? `${code}: ${message}` : message);
    this.code = code;
  }
}

// step tells what is being done, does it, and tells how it went.
async function step(text, work, done = () => "") {
  const line = document.createElement("li");
  const mark = Object.assign(document.createElement("span"), { className: "mark", textContent: "…" });
  const note = Object.assign(document.createElement("span"), { className: "note" });
  line.append(mark, text, note);
  tell(line);
  try {
    const result = await work();
    line.className = "done";
    mark.textContent = "✓";
    note.textContent = done(result);
    return result;
  } catch (error) {
    line.className = "failed";
    mark.textContent = "✗";
    note.textContent = error.message;
    throw error;
  }
}

function tell(line) {
  $("no-steps").hidden = true;
  $("steps").append(line);
  line.scrollIntoView({ block: "nearest" });
}

const story = (text) => tell(Object.assign(document.createElement("li"), { className: "story", textContent: text }));

// reach is fetch, with an error that says who could not be reached.
async function reach(who, url, init) {
  try {
    return await fetch(url, { cache: "no-store", redirect: "error", ...init });
  } catch {
    throw new Refusal(`${who} could not be reached, or does not accept this page's origin`);
  }
}

function firstError(who, status, body) {
  const error = body?.errors?.[0];
  return new Refusal(error?.message ?? `${who} answered ${status}`, error?.extensions?.code);
}

let session = null;

// sessionToken gives the token in hand while it has half a minute left, or else a new one.
async function sessionToken(another = false) {
  if (!another && session && Date.parse(session.expiresAt) - Date.now() > 30_000) return session.token;
  const text = another
    ? "Ask the clinic for another anonymous session"
    : "Ask the clinic for a token of my session (the cookie itself never leaves for the gateway)";
  session = await step(text, async () => {
    const answer = await reach("The clinic", `/.cloakroom/session${another ? "?new=1" : ""}`, { method: "POST" });
    const body = await answer.json().catch(() => null);
    if (!answer.ok || !body?.token) throw firstError("The clinic", answer.status, body);
    return body;
  }, (body) => `until ${new Date(body.expiresAt).toLocaleTimeString()}`);
  return session.token;
}

async function gateway(query, variables) {
  const token = await sessionToken();
  return async () => {
    const answer = await reach("The gateway", graphqlURL, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const body = await answer.json().catch(() => null);
    if (!body?.data || body.errors?.length) throw firstError("The gateway", answer.status, body);
    return body.data;
  };
}

// atStore performs a signed request.
async function atStore(request, body) {
  const answer = await reach("The object store", request.url, {
    method: request.method,
    credentials: "omit",
    headers: request.headers.map(({ name, value }) => [name, value]),
    body,
  });
  if (!answer.ok) throw new Refusal(`The object store answered ${answer.status}`);
  return answer;
}

async function handOver(blob, metadata, what) {
  story(`Handing over ${what}`);
  const ask = await gateway(TOKENIZE, { input: { size: blob.size, metadata } });
  const { tokenize } = await step("Ask the gateway for a ticket; it gets the size, not the value", ask,
    (data) => data.tokenize.token);
  await step("Send the value straight to the object store, which encrypts it",
    () => atStore(tokenize.upload, blob), () => `${blob.size} bytes`);
  addTicket(tokenize.token, what);
}

async function reveal(token, value) {
  story(`Revealing ${token}`);
  value.hidden = false;
  value.className = "value";
  value.textContent = "…";
  try {
    const ask = await gateway(DETOKENIZE, { token });
    const { detokenize } = await step("Hand the ticket to the gateway; it checks this session's grant", ask,
      () => "granted");
    const blob = await step("Fetch the value straight from the object store",
      async () => (await atStore(detokenize.download)).blob(), (fetched) => `${fetched.size} bytes`);
    await show(value, blob, detokenize.metadata);
  } catch (error) {
    value.classList.add("refused");
    value.textContent = error.message;
  }
}

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const addresses = new WeakMap(); // of what is shown, to be freed when it is replaced

async function show(value, blob, metadata) {
  URL.revokeObjectURL(addresses.get(value));
  const type = metadata?.contentType ?? "";
  if (type.startsWith("text/plain") && blob.size < 10_000) {
    value.replaceChildren(Object.assign(document.createElement("pre"), { textContent: await blob.text() }));
    return;
  }
  const isPicture = PICTURES.includes(type);
  // A type that a browser might run is not given back to it.
  const address = URL.createObjectURL(new Blob([blob], { type: isPicture ? type : "application/octet-stream" }));
  addresses.set(value, address);
  const name = metadata?.filename || "value";
  value.replaceChildren(Object.assign(document.createElement("a"),
    { href: address, download: name, textContent: `Save ${name} (${blob.size} bytes)` }));
  if (isPicture) value.prepend(Object.assign(document.createElement("img"), { src: address, alt: name }));
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

// busy keeps a button from being pressed twice. A failure has been told by its step.
async function busy(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  } finally {
    button.disabled = false;
  }
}

function onSubmit(id, work) {
  $(id).addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter ?? event.target.querySelector("button"), () => work(event.target));
  });
}

onSubmit("text-form", async (form) => {
  const blob = new Blob([form.elements.text.value]);
  await handOver(blob, { contentType: "text/plain" }, "a social security number");
  form.reset();
});

onSubmit("file-form", async (form) => {
  const [file] = form.elements.file.files;
  if (file.size === 0) {
    await step("Read the file", async () => { throw new Refusal("it is empty: choose one with content"); });
  }
  // The signed headers name the type; a Blob of its own type would name it twice.
  const metadata = {
    filename: file.name,
    contentType: file.type || "application/octet-stream",
    lastModified: new Date(file.lastModified).toISOString(),
  };
  await handOver(file.slice(0, file.size, ""), metadata, file.name);
  form.reset();
});

onSubmit("token-form", async (form) => {
  const token = form.elements.token.value.trim();
  await reveal(token, addTicket(token, "a ticket from elsewhere"));
  form.reset();
});

$("new-session").addEventListener("click", (event) => busy(event.target, async () => {
  story("Becoming somebody else");
  await sessionToken(true);
}));
