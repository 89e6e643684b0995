// Starts GraphiQL with our examples. A token lives in this page's memory alone: it's neither stored nor put in an address.
"use strict";

const settings = JSON.parse(document.getElementById("settings").textContent);
const form = document.getElementById("client");
const root = ReactDOM.createRoot(document.getElementById("graphiql"));

// Where the scripts above look for the nonce of a style element they add (a menu that holds the page still while it's open).
globalThis.__webpack_nonce__ = document.currentScript.nonce;

const NO_TOKEN = "No access token yet: name a client above, or put an Authorization header under Headers.";

function fetcherWith(token) {
  return async (operation, { headers: given = {} } = {}) => {
    const headers = new Headers({ accept: "application/graphql-response+json" });
    if (token) headers.set("authorization", `Bearer ${token}`);
    for (const [name, value] of Object.entries(given)) headers.set(name, value);
    headers.set("content-type", "application/json");
    if (!headers.has("authorization")) return { errors: [{ message: NO_TOKEN }] };
    // Just after another tab was opened GraphiQL still names that tab's operation.
    const { query, operationName, ...rest } = operation;
    const named = operationName && query.includes(operationName) ? { operationName } : {};
    const answer = await fetch("graphql", {
      method: "POST",
      headers,
      body: JSON.stringify({ query, ...named, ...rest }),
      credentials: "omit",
      referrerPolicy: "no-referrer",
    });
    return answer.json();
  };
}

// GraphiQL keeps tabs and a history of what was asked, headers included. Ours keep everything but headers, where tokens are.
const storage = {
  get length() {
    return localStorage.length;
  },
  getItem: (name) => localStorage.getItem(name),
  setItem: (name, text) => localStorage.setItem(name, withoutHeaders(text)),
  removeItem: (name) => localStorage.removeItem(name),
  clear: () => localStorage.clear(),
};

function withoutHeaders(text) {
  try {
    return JSON.stringify(JSON.parse(text, (name, value) => (name === "headers" ? undefined : value)));
  } catch {
    return text; // a setting, not a record
  }
}

// A new fetcher makes GraphiQL ask for the schema again.
function show(token) {
  root.render(
    React.createElement(GraphiQL, {
      fetcher: fetcherWith(token),
      storage,
      defaultTabs: settings.examples,
      defaultEditorToolsVisibility: "variables",
      isHeadersEditorEnabled: true,
      shouldPersistHeaders: false,
      showPersistHeadersSettings: false,
    }),
  );
}

async function tokenFor(id, secret) {
  // RFC 6749 §2.3.1: both are form-encoded before they become a basic credential.
  const encoded = (text) => new URLSearchParams({ "": text }).toString().slice(1);
  const answer = await fetch(settings.tokenPath, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${encoded(id)}:${encoded(secret)}`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
    credentials: "omit",
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error_description || told.error || told.message);
  return told;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const output = form.querySelector("output");
  output.textContent = "…";
  try {
    const told = await tokenFor(form.elements.client_id.value.trim(), form.elements.client_secret.value.trim());
    output.textContent = `${told.scope}, for ${Math.round(told.expires_in / 60)} min`;
    show(told.access_token);
  } catch (error) {
    output.textContent = error.message;
  }
});

show("");
