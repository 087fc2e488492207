// The demo: what the server is without a configuration file. Two users, made at the first start.

import { createPrivateKey, randomInt, X509Certificate } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import { makeCertificate } from "@offhook/sip/node";
import type { Store } from "./store/index.ts";

/** Without those that look alike. */
const letters = "abcdefghjkmnpqrstuvwxyz23456789";

/** Makes the two accounts if there is none at all; their passwords are known only now. */
export async function makeDemoUsers(
  store: Store,
  domain: string,
): Promise<{ user: string; password: string }[]> {
  if (store.accounts.count > 0) return [];
  const users = ["alice", "bob"].map((user) => ({ user, password: makePassword() }));
  for (const { user, password } of users) await store.accounts.add({ user, password, domain });
  return users;
}

/**
 * Makes the certificate of the demo's TLS listeners, self-signed, if there is none yet that can be used: its time may be
 * over, its key lost, or the server listen on other addresses than it is for.
 * @param files where it belongs; the key is for this user's eyes only
 * @param hosts the addresses that are listened on
 */
export function ensureDemoCertificate(
  files: { readonly certificate: string; readonly key: string },
  hosts: readonly string[],
): void {
  if (isUsable(files, hosts)) return;
  const made = makeCertificate({ names: namesFor(hosts), commonName: "Offhook demo" });
  mkdirSync(dirname(files.certificate), { recursive: true, mode: 0o700 });
  // The mode counts only where a file is new.
  rmSync(files.key, { force: true });
  writeFileSync(files.key, made.key, { mode: 0o600 });
  writeFileSync(files.certificate, made.certificate);
}

function isUsable(files: { certificate: string; key: string }, hosts: readonly string[]): boolean {
  try {
    const certificate = new X509Certificate(readFileSync(files.certificate));
    return (
      Date.parse(certificate.validTo) > Date.now() + day &&
      certificate.checkPrivateKey(createPrivateKey(readFileSync(files.key))) &&
      // IPv6 addresses of a machine come and go by themselves; phones that trust it need one that stays.
      namesFor(hosts).every(
        (name) =>
          (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined ||
          (isIP(name) === 6 && !hosts.includes(name)),
      )
    );
  } catch {
    return false;
  }
}

const day = 86_400_000;

/** What a phone may be told to connect to. */
function namesFor(hosts: readonly string[]): string[] {
  const names = new Set(["localhost", "127.0.0.1", "::1"]);
  for (const host of hosts) {
    if (host !== "0.0.0.0" && host !== "::") names.add(host);
    else
      for (const { address } of Object.values(networkInterfaces()).flatMap((list) => list ?? []))
        names.add(address);
  }
  return [...names];
}

/** 60 bits in three groups, easy to type on a phone. */
export function makePassword(): string {
  const group = () => Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join("");
  return [group(), group(), group()].join("-");
}
