// The clinic's page. It sends tickets (tokens) to the clinic's own GraphQL API, and exchanges values with the gateway
// and the object store.

import { $, busy, fileValue, firstError, handOver, isFor, onSubmit, reach, Refusal, step, story, textValue } from "/cloakroom.js";
import { isViewedBy, leaving } from "/forget.js";
import { entry, former, make, picture, ticket } from "/view.js";

const NOTE = "__typename id patientId patientName author writtenAt body attachments";
const DOCUMENT = "__typename id patientId patientName title addedAt file";
const VIEWER = "{ viewer { id name role } }";
const PATIENTS = "{ patients(first: 200) { id name } }";
const PATIENT = `query Patient($id: ID!) {
  patient(id: $id) { id name ssn timeline { ... on Note { ${NOTE} } ... on Document { ${DOCUMENT} } } }
}`;
const SEARCH = `query Search($text: String!) {
  search(text: $text) { __typename ... on Patient { id name } ... on Note { ${NOTE} } ... on Document { ${DOCUMENT} } }
}`;
const ADD = "mutation Add($inputs: [AddPatientInput!]!) { addPatients(inputs: $inputs) { id } }";
const SET_SSN = `mutation SetSSN($patient: ID!, $ssn: TokenID!) {
  setSocialSecurityNumber(patient: $patient, ssn: $ssn) { id }
}`;
const ADD_NOTE = "mutation AddNote($patient: ID!, $note: NewNote!) { addNote(patient: $patient, note: $note) { id } }";
const ADD_DOCUMENT = `mutation AddDocument($patient: ID!, $document: NewDocument!) {
  addDocument(patient: $patient, document: $document) { id }
}`;
const NOTE_ADDED = `subscription NoteAdded { noteAdded { ${NOTE} } }`;

let viewer = null;
let chosen = null; // the id of the patient who is shown

const request = (query, variables, accept) => reach("The clinic", "/graphql", {
  method: "POST",
  headers: { "Content-Type": "application/json", Accept: accept },
  body: JSON.stringify({ query, variables }),
});

// clinic sends an operation to the clinic's API. A response can have data and errors: then some tickets have no grant.
async function clinic(query, variables) {
  const answer = await request(query, variables, "application/json");
  const body = await answer.json().catch(() => null);
  if (body?.errors?.[0]?.extensions?.code === "UNAUTHENTICATED" && viewer) location.reload(); // logged out in another tab
  if (!body?.data || Object.values(body.data).every((field) => field === null) && body.errors) {
    throw firstError("The clinic", answer.status, body);
  }
  return { ...body.data, errors: body.errors ?? [] };
}

async function loadPatients() {
  const { patients } = await clinic(PATIENTS);
  $("patients").replaceChildren(...patients.map(({ id, name }) => {
    const button = make("button", { className: "quiet", type: "button", textContent: name });
    button.setAttribute("aria-current", id === chosen);
    button.addEventListener("click", () => busy(button, () => choose(id)));
    return make("li", {}, button);
  }));
  $("no-patients").hidden = patients.length > 0;
  $("samples").hidden = viewer.role !== "DOCTOR" || patients.length > 2;
  return patients;
}

const problemAt = (errors, ...path) => errors.find((error) => error.path?.join() === path.join());

// choose shows a patient. The clinic has created the grants of all tickets in its response, in one call.
async function choose(id) {
  story("Opening a patient's record");
  const { patient, errors } = await step("Query the clinic, which creates this session's grants for the returned tickets, in one call",
    () => clinic(PATIENT, { id }), (data) => `${data.patient?.timeline.length ?? 0} entries`);
  if (!patient) return;
  chosen = id;
  $("patient-title").textContent = patient.name;
  $("record").hidden = false;
  $("ssn").replaceChildren(patient.ssn
    ? ticket(patient.ssn, "Number", viewer, problemAt(errors, "patient", "ssn"))
    : make("p", { className: "hint", textContent: "Not stored yet." }));
  $("ssn-summary").textContent = patient.ssn ? "Replace it" : "Store it";
  $("timeline").replaceChildren(...patient.timeline.map((item) => entry(item, viewer)));
  $("no-entries").hidden = patient.timeline.length > 0;
  for (const button of $("patients").querySelectorAll("button")) button.setAttribute("aria-current", button.textContent === patient.name);
}

// save sends the clinic a mutation with tickets, which @token verifies before anything is written.
const save = (mutation, variables) => step("Send the clinic the tickets; it asks the gateway whether this session may save them",
  () => clinic(mutation, variables), () => "saved");

onSubmit($("add-form"), async (form) => {
  const { name, ssn, note, file } = form.elements;
  story(`Adding ${name.value}`);
  const values = [];
  if (ssn.value) values.push(textValue(ssn.value));
  if (note.value) values.push(textValue(note.value));
  if (file.files[0]) values.push(fileValue(file.files[0]));
  const tokens = await handOver(values);
  const input = { name: name.value };
  if (ssn.value) input.ssn = tokens.shift();
  if (note.value) input.notes = [{ body: tokens.shift() }];
  if (file.files[0]) input.documents = [{ title: file.files[0].name, file: tokens.shift() }];
  const { addPatients: [added] } = await save(ADD, { inputs: [input] });
  form.reset();
  $("add").open = false;
  await loadPatients();
  await choose(added.id);
});

const SAMPLES = [
  ["Ada Quill", "219-09-9999", "Allergic to penicillin. Asked not to have it read aloud at reception."],
  ["Bram Holt", "457-55-5462", "Sleeps badly since the move; review the dose in two weeks."],
  ["Cleo Marsh", "078-05-1120", "Knee healed. May run again, slowly."],
];

$("add-samples").addEventListener("click", (event) => busy(event.target, async () => {
  story("Adding sample patients");
  const values = SAMPLES.flatMap(([, ssn, note]) => [textValue(ssn), textValue(note)]);
  const tokens = await handOver([...values, fileValue(await picture())]);
  const inputs = SAMPLES.map(([name], i) => ({ name, ssn: tokens[2 * i], notes: [{ body: tokens[2 * i + 1] }] }));
  inputs[0].documents = [{ title: "X-ray of the chest", file: tokens.at(-1) }];
  const { addPatients: [first] } = await save(ADD, { inputs });
  await loadPatients();
  await choose(first.id);
}));

onSubmit($("ssn-form"), async (form) => {
  story("Storing a social security number");
  const [ssn] = await handOver([textValue(form.elements.ssn.value)]);
  await save(SET_SSN, { patient: chosen, ssn });
  form.reset();
  form.parentElement.open = false;
  await choose(chosen);
});

onSubmit($("note-form"), async (form) => {
  const [file] = form.elements.file.files;
  story("Writing a note");
  const [body, ...attachments] = await handOver([textValue(form.elements.note.value), ...(file ? [fileValue(file)] : [])]);
  await save(ADD_NOTE, { patient: chosen, note: { body, attachments } });
  form.reset();
  form.parentElement.open = false;
  await choose(chosen);
});

onSubmit($("document-form"), async (form) => {
  story("Adding a document");
  const [file] = await handOver([fileValue(form.elements.file.files[0])]);
  await save(ADD_DOCUMENT, { patient: chosen, document: { title: form.elements.title.value, file } });
  form.reset();
  form.parentElement.open = false;
  await choose(chosen);
});

onSubmit($("search-form"), async (form) => {
  const text = form.elements.text.value.trim();
  const { search } = text ? await clinic(SEARCH, { text }) : { search: [] };
  $("found").replaceChildren(...search.map((item) => {
    if (item.__typename !== "Patient") return entry(item, viewer, true);
    const button = make("button", { className: "link", type: "button", textContent: item.name });
    button.addEventListener("click", () => busy(button, () => choose(item.id)));
    return make("li", {}, button);
  }));
  if (text && search.length === 0) $("found").append(make("li", { className: "hint", textContent: "Nothing found." }));
});

// listen shows new notes, and subscribes again when the connection ends.
async function listen() {
  for (;;) {
    try {
      const answer = await request(NOTE_ADDED, {}, "text/event-stream");
      if (answer.ok) $("live-state").textContent = "live";
      await events(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    } catch (error) {
      if (!(error instanceof Refusal || error instanceof TypeError)) throw error;
    }
    $("live-state").textContent = "connecting again";
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

// events reads server-sent events in the form that gqlgen sends: an "event" line and a "data" line.
async function events(reader) {
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (text + value).split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").find((line) => line.startsWith("data: "));
      const note = data && JSON.parse(data.slice(6)).data?.noteAdded;
      if (!note) continue;
      $("no-live").hidden = true;
      $("live").prepend(entry(note, viewer, true));
    }
  }
}

function showFormer() {
  const last = former();
  if (!last || last.by === viewer.name) return;
  $("former").hidden = false;
  $("former-what").textContent = `${last.by} opened this ticket in this window. You are ${viewer.name}: `
    + "a ticket that leaks, or is copied, is worth nothing without a grant.";
  $("former-ticket").replaceChildren(ticket(last.token, last.what, viewer));
}

// The form must stay in the page until the browser has read it.
$("logout").addEventListener("submit", () => {
  leaving();
  $("clinic").replaceChildren();
});

async function start() {
  ({ viewer } = await clinic(VIEWER).catch(() => ({ viewer: null })));
  isViewedBy(viewer?.id ?? null);
  if (!viewer) {
    $("login").hidden = false;
    $("login-refused").hidden = new URLSearchParams(location.search).get("login") !== "refused";
    return;
  }
  isFor(`user-${viewer.id}`);
  $("who").textContent = viewer.name;
  $("logout").hidden = false;
  $("clinic").hidden = false;
  for (const id of ["add", "note-details"]) $(id).hidden = viewer.role !== "DOCTOR";
  showFormer();
  listen();
  const patients = await loadPatients();
  if (viewer.role === "PATIENT" && patients.length === 1) await choose(patients[0].id);
}

start();
