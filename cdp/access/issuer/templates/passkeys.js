// Passkeys: asks the browser for one and sends its answer with the form. Everything else on these pages works without script.
"use strict";

const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

// As PublicKeyCredential.parse…OptionsFromJSON and toJSON, which browsers have since 2024 only.
const read = (json) => {
  const options = JSON.parse(json);
  options.challenge = toBytes(options.challenge);
  if (options.user) options.user.id = toBytes(options.user.id);
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    options[list] = (options[list] || []).map((one) => ({ ...one, id: toBytes(one.id) }));
  }
  return options;
};

const written = (credential) => {
  const response = { clientDataJSON: toText(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  const id = credential.id;
  return JSON.stringify({ id, rawId: id, type: credential.type, response, clientExtensionResults: {} });
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (!window.PublicKeyCredential) continue;
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const told = form.querySelector("[role=status]");
    told.textContent = "";
    try {
      const publicKey = read(form.dataset.options);
      const credential = await navigator.credentials[form.dataset.passkey]({ publicKey });
      form.elements.credential.value = written(credential);
      form.submit();
    } catch (error) {
      told.textContent = error.name === "InvalidStateError" ? form.dataset.known : form.dataset.unused;
    }
  });
}
