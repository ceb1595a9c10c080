/** Chromium's own virtual authenticator: a real WebAuthn implementation without a finger. */
import type { CDPSession, Page } from "@playwright/test";

export class VirtualAuthenticator {
  private constructor(
    readonly cdp: CDPSession,
    readonly id: string,
  ) {}

  static async plugIn(page: Page): Promise<VirtualAuthenticator> {
    const cdp = await page.context().newCDPSession(page);
    await cdp.send("WebAuthn.enable");
    const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
      options: {
        protocol: "ctap2",
        transport: "internal",
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    return new VirtualAuthenticator(cdp, authenticatorId);
  }

  /** Whether its owner's finger is accepted. */
  async verifyPerson(accepted: boolean): Promise<void> {
    await this.cdp.send("WebAuthn.setUserVerified", {
      authenticatorId: this.id,
      isUserVerified: accepted,
    });
  }

  /** Puts a copy of the passkey into the authenticator whose counter stands at `signCount`. */
  async turnCounterTo(signCount: number): Promise<void> {
    const { credentials } = await this.cdp.send("WebAuthn.getCredentials", { authenticatorId: this.id });
    for (const credential of credentials) {
      await this.cdp.send("WebAuthn.removeCredential", {
        authenticatorId: this.id,
        credentialId: credential.credentialId,
      });
      await this.cdp.send("WebAuthn.addCredential", {
        authenticatorId: this.id,
        credential: { ...credential, signCount },
      });
    }
  }
}
