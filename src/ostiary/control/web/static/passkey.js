// Passkeys are the one thing a page cannot do without a script. A form marked with `data-passkey` gets its answer from the
// browser's authenticator and is then sent as an ordinary form.
"use strict";

(() => {
  const toBytes = (text) => {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/").padEnd(Math.ceil(text.length / 4) * 4, "=");
    return Uint8Array.from(atob(padded), (character) => character.charCodeAt(0));
  };
  const toText = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  const decoded = (options) => {
    const read = { ...options, challenge: toBytes(options.challenge) };
    for (const list of ["allowCredentials", "excludeCredentials"]) {
      if (options[list]) {
        read[list] = options[list].map((entry) => ({ ...entry, id: toBytes(entry.id) }));
      }
    }
    if (options.user) {
      read.user = { ...options.user, id: toBytes(options.user.id) };
    }
    return read;
  };

  const encoded = (credential) => {
    const answer = { clientDataJSON: toText(credential.response.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) {
        answer[name] = toText(credential.response[name]);
      }
    }
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      response: answer,
      clientExtensionResults: {},
    });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    if (!window.PublicKeyCredential) {
      continue;
    }
    form.hidden = false;
    const said = form.querySelector("[data-said]");
    const use = async () => {
      said.textContent = "";
      try {
        const options = JSON.parse(form.dataset.options);
        const request = { publicKey: decoded(options.publicKey || options) };
        const credential =
          form.dataset.passkey === "create"
            ? await navigator.credentials.create(request)
            : await navigator.credentials.get(request);
        form.elements.passkey.value = encoded(credential);
        form.submit();
      } catch (failure) {
        said.textContent =
          failure.name === "NotAllowedError"
            ? "The passkey was not used. Try again, or use a code."
            : "This browser cannot use a passkey here. Use a code instead.";
      }
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      use();
    });
    if ("begins" in form.dataset) {
      use();
    }
  }
})();
