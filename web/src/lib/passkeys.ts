/** The browser's half of WebAuthn: what the server asks becomes a question to an authenticator, and its answer becomes JSON. */
import type { PasskeyAssertion, PasskeyCreation, PasskeyRegistration, PasskeyRequest } from "../api/types";

/** Whether this browser knows passkeys; without TLS, and on an address instead of a name, it does not. */
export function passkeysKnown(): boolean {
  return typeof PublicKeyCredential !== "undefined" && !/^[\d.]+$|^\[/.test(location.hostname);
}

/** Asks for a new passkey. */
export async function createPasskey(asked: PasskeyCreation): Promise<PasskeyRegistration> {
  const made = await navigator.credentials.create({
    publicKey: {
      challenge: decode(asked.challenge),
      rp: asked.rp,
      user: { id: decode(asked.user.id), name: asked.user.name, displayName: asked.user.displayName },
      pubKeyCredParams: asked.algorithms.map((alg) => ({ type: "public-key", alg })),
      timeout: asked.timeout,
      excludeCredentials: asked.excludeCredentials.map(describe),
      authenticatorSelection: { residentKey: "required", userVerification: "required" },
      attestation: "none",
    },
  });
  if (!(made instanceof PublicKeyCredential)) throw new Error("the browser gave no passkey");
  const response = made.response as AuthenticatorAttestationResponse;
  return {
    id: made.id,
    clientDataJSON: encode(response.clientDataJSON),
    attestationObject: encode(response.attestationObject),
    transports: response.getTransports?.() ?? [],
  };
}

/** Asks for the use of a passkey. */
export async function usePasskey(asked: PasskeyRequest): Promise<PasskeyAssertion> {
  const used = await navigator.credentials.get({
    publicKey: {
      challenge: decode(asked.challenge),
      rpId: asked.rpId,
      timeout: asked.timeout,
      userVerification: asked.userVerification as UserVerificationRequirement,
      allowCredentials: asked.allowCredentials.map(describe),
    },
  });
  if (!(used instanceof PublicKeyCredential)) throw new Error("the browser gave no passkey");
  const response = used.response as AuthenticatorAssertionResponse;
  return {
    id: used.id,
    clientDataJSON: encode(response.clientDataJSON),
    authenticatorData: encode(response.authenticatorData),
    signature: encode(response.signature),
    userHandle: response.userHandle ? encode(response.userHandle) : null,
  };
}

/** A sentence for what the browser or the person refused. */
export function passkeyFailure(error: unknown): string | undefined {
  if (!(error instanceof DOMException)) return undefined;
  return error.name === "InvalidStateError"
    ? "This device has a passkey of yours already."
    : "No passkey was used. Try again, or take another way.";
}

export function decode(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}

export function encode(buffer: ArrayBuffer): string {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function describe(one: { id: string; transports: string[] }): PublicKeyCredentialDescriptor {
  return {
    type: "public-key",
    id: decode(one.id),
    transports: one.transports as AuthenticatorTransport[],
  };
}
