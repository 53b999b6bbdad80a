// Code of both pages: the session's token from the application, the gateway's signed requests, and the object
// store. Each request is listed as a step. Data from outside is shown as text, never as markup.

const graphqlURL = document.documentElement.dataset.graphql;
export const $ = (id) => document.getElementById(id);

const TOKENIZE = `mutation Tokenize($inputs: [TokenizeInput!]!) {
  tokenizeBatch(inputs: $inputs) { token upload { method url headers { name value } } }
}`;
const DETOKENIZE = `mutation Detokenize($token: TokenID!) {
  detokenize(token: $token) {
    download { method url headers { name value } }
    metadata { filename contentType }
  }
}`;

// A failure with a message for the user, and a code if there is one.
export class Refusal extends Error {
  constructor(message, code) {
    super(code ? `${code}: ${message}` : message);
    this.code = code;
  }
}

const told = new WeakSet(); // errors that a step has shown

// step lists an action, runs it, and shows its outcome.
export async function step(text, work, done = () => "") {
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
    told.add(error);
    mark.textContent = "✗";
    note.textContent = error.message;
    throw error;
  } finally {
    showLast(); // a message may have made the line higher
  }
}

function tell(line) {
  $("no-steps").hidden = true;
  $("steps").append(line);
  showLast();
}

function showLast() {
  $("steps").scrollTop = $("steps").scrollHeight;
}

export const story = (text) => tell(Object.assign(document.createElement("li"), { className: "story", textContent: text }));

// reach is fetch, with an error that names the server that could not be reached.
export async function reach(who, url, init) {
  try {
    return await fetch(url, { cache: "no-store", redirect: "error", ...init });
  } catch {
    throw new Refusal(`${who} could not be reached, or does not accept this page's origin`);
  }
}

export function firstError(who, status, body) {
  const error = body?.errors?.[0];
  return new Refusal(error?.message ?? `${who} answered ${status}`, error?.extensions?.code);
}

// The gateway identifies this page's session by a JWT that the page holds, or, with ?session=cookie, by a cookie that the
// gateway sets at the end of its sign-in. The choice is stored for the window, so that it survives a login.
const asked = new URLSearchParams(location.search).get("session");
if (asked) sessionStorage.setItem("clinic-session", asked);
const byCookie = sessionStorage.getItem("clinic-session") === "cookie";
let session = null;

// sessionToken returns the current token if it is valid for half a minute more, otherwise a new one.
async function sessionToken(another = false) {
  if (!another && session && Date.parse(session.expiresAt) - Date.now() > 30_000) return session.token;
  const text = another
    ? "Ask the clinic for another anonymous session"
    : "Ask the clinic for a token of this session (the cookie itself is never sent to the gateway)";
  session = await step(text, async () => {
    const answer = await reach("The clinic", `/.cloakroom/session${another ? "?new=1" : ""}`, { method: "POST" });
    const body = await answer.json().catch(() => null);
    if (!answer.ok || !body?.token) throw firstError("The clinic", answer.status, body);
    return body;
  }, (body) => `until ${new Date(body.expiresAt).toLocaleTimeString()}`);
  return session.token;
}

const atGateway = (path) => new URL(path, graphqlURL).href;

// verify returns the session of the gateway's cookie, or null if there is no valid cookie.
async function verify() {
  const answer = await reach("The gateway", atGateway("/session/verify"), { credentials: "include" });
  if (answer.status === 401) return null;
  const body = await answer.json().catch(() => null);
  if (!answer.ok || !body?.sessionHash) throw firstError("The gateway", answer.status, body);
  return body;
}

// ensure signs in: a frame opens the gateway, which redirects to the clinic, which identifies the session, and back to the gateway,
// which sets its cookie. It ends on an empty page of the clinic; on any other page, the sign-in was refused.
const ensure = () => new Promise((resolve, reject) => {
  const frame = Object.assign(document.createElement("iframe"), { hidden: true, title: "Sign-in" });
  frame.addEventListener("load", () => {
    const page = frame.contentDocument; // null on another origin
    const at = page?.location.pathname;
    if (at === "/.cloakroom/sign-in" && page.forms.length > 0) return; // not finished yet
    frame.remove();
    if (at === "/signed-in") resolve();
    else reject(new Refusal("The sign-in was refused, or this browser keeps no cookie of the gateway's"));
  });
  frame.src = atGateway(`/session/ensure?return_to=${encodeURIComponent(`${location.origin}/signed-in`)}`);
  document.body.append(frame);
});

async function signIn() {
  await step("Sign in at the gateway, in a hidden frame; the clinic sends it a signed assertion of this session", ensure);
  const found = await verify();
  if (!found) throw new Refusal("This browser does not send the gateway's cookie");
  return found;
}

let me = null;

// isFor is the clinic's user, as the claim sub: a gateway cookie from before a login belongs to another session.
export const isFor = (subject) => { me = subject; };

// pinned is the session of the cookie. Its hash is sent with each request: if another user signs in meanwhile, in another
// tab, the gateway refuses the request instead of answering it for that user.
async function pinned() {
  if (!session) {
    const isMine = (found) => found && (me ?? found.subject) === found.subject;
    const found = await step("Ask the gateway whether its cookie has a session", verify,
      (answer) => (isMine(answer) ? `until ${new Date(answer.expiresAt).toLocaleTimeString()}` : "not yet"));
    session = isMine(found) ? found : await signIn();
  }
  return session.sessionHash;
}

// another starts another visitor's session.
export async function another() {
  await sessionToken(true);
  if (byCookie) session = await signIn();
}

async function authorization() {
  return byCookie
    ? { credentials: "include", headers: { "Cloakroom-Session-Hash": await pinned() } }
    : { credentials: "omit", headers: { Authorization: `Bearer ${await sessionToken()}` } };
}

async function gateway(query, variables) {
  const { credentials, headers } = await authorization();
  return async () => {
    const answer = await reach("The gateway", graphqlURL, {
      method: "POST",
      credentials,
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify({ query, variables }),
    });
    const body = await answer.json().catch(() => null);
    if (!body?.data || body.errors?.length) {
      const error = firstError("The gateway", answer.status, body);
      if (error.code === "UNAUTHENTICATED") session = null; // it has ended: the next request gets a new one
      throw error;
    }
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

const total = (values) => `${values.reduce((sum, { blob }) => sum + blob.size, 0)} bytes`;

// handOver stores values in the object store, and returns their tokens, in order.
export async function handOver(values) {
  if (values.length === 0) return [];
  const many = values.length > 1;
  const inputs = values.map(({ blob, metadata }) => ({ size: blob.size, metadata }));
  const { tokenizeBatch: tickets } = await step(
    many ? `Request ${values.length} tickets from the gateway, which gets sizes, not values`
      : "Request a ticket from the gateway, which gets the size, not the value",
    await gateway(TOKENIZE, { inputs }), (data) => (many ? "" : data.tokenizeBatch[0].token));
  await step(many ? "Send the values directly to the object store, which encrypts them"
    : "Send the value directly to the object store, which encrypts it",
  () => Promise.all(tickets.map((ticket, i) => atStore(ticket.upload, values[i].blob))), () => total(values));
  return tickets.map((ticket) => ticket.token);
}

export const textValue = (text) => ({ blob: new Blob([text]), metadata: { contentType: "text/plain" } });

// fileValue returns a file as a value. The signed headers name its type, so the Blob must not have a type too.
export function fileValue(file) {
  if (file.size === 0) throw new Refusal("The file is empty: choose one with content");
  const metadata = {
    filename: file.name,
    contentType: file.type || "application/octet-stream",
    lastModified: new Date(file.lastModified).toISOString(),
  };
  return { blob: file.slice(0, file.size, ""), metadata };
}

// reveal detokenizes a token, and shows its value or the error in the element.
export async function reveal(token, value, explain = () => "") {
  story(`Revealing ${token}`);
  value.hidden = false;
  value.className = "value";
  value.textContent = "…";
  try {
    const { detokenize } = await step("Send the ticket to the gateway, which checks this session's grant",
      await gateway(DETOKENIZE, { token }), () => "granted");
    const blob = await step("Fetch the value directly from the object store",
      async () => (await atStore(detokenize.download)).blob(), (fetched) => `${fetched.size} bytes`);
    await show(value, blob, detokenize.metadata);
    return true;
  } catch (error) {
    value.classList.add("refused");
    value.textContent = error.message;
    const why = explain(error);
    if (why) value.append(Object.assign(document.createElement("p"), { className: "hint", textContent: why }));
    return false;
  }
}

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const addresses = new WeakMap(); // object URLs of shown values, to be freed when they are replaced

// conceal removes a value from the page, and frees it.
export function conceal(value) {
  URL.revokeObjectURL(addresses.get(value));
  value.replaceChildren();
  value.hidden = true;
}

async function show(value, blob, metadata) {
  URL.revokeObjectURL(addresses.get(value));
  const type = metadata?.contentType ?? "";
  if (type.startsWith("text/plain") && blob.size < 10_000) {
    value.replaceChildren(Object.assign(document.createElement("pre"), { textContent: await blob.text() }));
    return;
  }
  const isPicture = PICTURES.includes(type);
  // The link never has a type that a browser might run.
  const address = URL.createObjectURL(new Blob([blob], { type: isPicture ? type : "application/octet-stream" }));
  addresses.set(value, address);
  const name = metadata?.filename || "value";
  value.replaceChildren(Object.assign(document.createElement("a"),
    { href: address, download: name, textContent: `Save ${name} (${blob.size} bytes)` }));
  if (isPicture) value.prepend(Object.assign(document.createElement("img"), { src: address, alt: name }));
}

// busy prevents a second press of a button. An error that no step has shown is shown below the button's form.
export async function busy(button, work) {
  button.disabled = true;
  button.form?.querySelector(":scope > [role=alert]")?.remove();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (!told.has(error)) {
      const text = Object.assign(document.createElement("p"), { className: "refusal", role: "alert", textContent: error.message });
      button.form?.append(text);
    }
  } finally {
    button.disabled = false;
  }
}

export function onSubmit(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busy(event.submitter ?? form.querySelector("button"), () => work(form));
  });
}
