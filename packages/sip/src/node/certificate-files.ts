// Certificates and keys out of files or PEM text, checked before anybody depends on them, and read again when the
// files change. RFC 3261 §26.3.1, RFC 5922 §7.8.

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type FSWatcher, readFileSync, statSync, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { TransportError } from "../errors.ts";
import { canonicalHost } from "../transport/index.ts";
import { namesOf, speaksFor } from "./certificate-identity.ts";

/** A certificate, with the intermediate ones after it, and its key: each a file's path, or PEM text. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

/** One of several certificates of a listener: who asks for that domain by SNI (RFC 6066 §3) gets it. */
export interface DomainCertificate extends CertificatePair {
  readonly domain: string;
}

/** What a TLS or WSS listener shows and asks for. */
export interface TlsServerOptions extends CertificatePair {
  /** For clients that name one of these domains; `certificate` and `key` are for all others. */
  readonly certificates?: readonly DomainCertificate[];
  /**
   * "optional": a client may show one; a good one gives the flow its `peerIdentities`, any other counts as none.
   * "required": no connection without a good one. Default "off".
   */
  readonly clientCertificates?: "off" | "optional" | "required";
  /** Who may issue clients' certificates, files or PEM text; default: the public authorities that Node knows. */
  readonly ca?: string | readonly string[];
}

/** How connections that we open over TLS or WSS identify both sides. */
export interface TlsClientOptions {
  /** Who may issue servers' certificates, files or PEM text; default: the public authorities that Node knows. */
  readonly ca?: string | readonly string[];
  /** Ours, for servers that ask. */
  readonly certificate?: string;
  readonly key?: string;
  /** `false` takes any certificate: for a laboratory, since nothing is known about the peer then. Default true. */
  readonly verify?: boolean;
}

/** What a TLS listener is opened with. */
export interface TlsListenOptions extends Partial<TlsServerOptions> {
  /** For connections that we open, where the driver was made without options for them. */
  readonly client?: TlsClientOptions;
}

/** Older versions are refused (RFC 8996). */
export const minVersion = "TLSv1.2";

/** The contexts of a listener: one for each domain, and one for all others. */
export interface ServerContexts {
  readonly fallback: SecureContextOptions;
  readonly byDomain: ReadonlyMap<string, SecureContext>;
  /** What an operator should know although it works: an expired certificate, a name that does not fit. */
  readonly warnings: readonly string[];
}

/** @throws {TransportError} saying which file or text is wrong, and how */
export function loadServerContexts(options: TlsServerOptions): ServerContexts {
  const ca = loadAuthorities(options.ca);
  const warnings: string[] = [];
  const load = (pair: CertificatePair, domain?: string): SecureContextOptions => {
    const { x509, ...loaded } = loadPair(pair);
    warnings.push(...complaints(x509, sourceName(pair.certificate, "the certificate"), domain));
    return { ...loaded, ...(ca && { ca }), minVersion };
  };
  const fallback = load(options);
  const byDomain = new Map<string, SecureContext>();
  for (const pair of options.certificates ?? []) {
    byDomain.set(canonicalHost(pair.domain), createSecureContext(load(pair, pair.domain)));
  }
  // Whatever OpenSSL dislikes comes out here, not with the first connection.
  createSecureContext(fallback);
  return { fallback, byDomain, warnings };
}

/** @throws {TransportError} saying which file or text is wrong, and how */
export function loadClientContext(options: TlsClientOptions): SecureContext {
  const { certificate, key } = options;
  if ((certificate === undefined) !== (key === undefined)) {
    throw new TransportError("a client certificate needs certificate and key, both of them");
  }
  const ca = loadAuthorities(options.ca);
  const pair = certificate === undefined || key === undefined ? undefined : loadPair({ certificate, key });
  return createSecureContext({
    ...(pair && { cert: pair.cert, key: pair.key }),
    ...(ca && { ca }),
    minVersion,
  });
}

/** The files that an option names; text is no file. */
export function filesOf(options: TlsServerOptions | TlsClientOptions): string[] {
  const { certificate, key, ca } = options;
  const pairs = "certificates" in options ? (options.certificates ?? []) : [];
  return [certificate, key, ...(typeof ca === "string" ? [ca] : (ca ?? []))]
    .concat(pairs.flatMap((pair) => [pair.certificate, pair.key]))
    .filter((source): source is string => source !== undefined && !isPem(source));
}

// --- Loading -------------------------------------------------------------------------------------------------

interface LoadedPair {
  readonly cert: string;
  readonly key: string;
  readonly x509: X509Certificate;
}

function loadPair(pair: CertificatePair): LoadedPair {
  const cert = readPem(pair.certificate, "certificate");
  const key = readPem(pair.key, "key");
  const certificateName = sourceName(pair.certificate, "the certificate");
  const keyName = sourceName(pair.key, "the key");
  const x509 = parseCertificate(cert, certificateName);
  const privateKey = parseKey(key, keyName);
  if (!x509.checkPrivateKey(privateKey)) {
    throw new TransportError(
      `the key does not fit the certificate: ${keyName} belongs to another one than ${certificateName} (for ${namesOf(x509)})`,
    );
  }
  return { cert, key, x509 };
}

function loadAuthorities(ca: string | readonly string[] | undefined): string[] | undefined {
  if (ca === undefined) return undefined;
  return (typeof ca === "string" ? [ca] : ca).map((source) => {
    const text = readPem(source, "ca");
    parseCertificate(text, sourceName(source, "the ca certificate"));
    return text;
  });
}

function parseCertificate(pem: string, name: string): X509Certificate {
  if (!pem.includes("-----BEGIN CERTIFICATE-----") && !pem.includes("-----BEGIN TRUSTED CERTIFICATE-----")) {
    throw new TransportError(`${name} holds no certificate (a PEM block BEGIN CERTIFICATE)`);
  }
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new TransportError(`${name} holds a certificate that cannot be read`, { cause });
  }
}

function parseKey(pem: string, name: string): KeyObject {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw new TransportError(`${name} holds no private key (a PEM block BEGIN PRIVATE KEY)`);
  }
  if (/BEGIN ENCRYPTED PRIVATE KEY|^Proc-Type: 4,ENCRYPTED/m.test(pem)) {
    throw new TransportError(`${name} is protected by a passphrase; it has to be stored without one`);
  }
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause: nothing of a key may get into a log.
    throw new TransportError(`${name} holds a private key that cannot be read`);
  }
}

function isPem(source: string): boolean {
  return source.includes("-----BEGIN");
}

function readPem(source: string, what: string): string {
  if (isPem(source)) return source;
  try {
    return readFileSync(source, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === "ENOENT" ? "there is no such file" : code === "EACCES" ? "this user may not read it" : code;
    throw new TransportError(`${what} ${source} cannot be read: ${reason}`, { cause: error });
  }
}

function sourceName(source: string, name: string): string {
  return isPem(source) ? name : source;
}

function complaints(x509: X509Certificate, name: string, domain: string | undefined): string[] {
  const found: string[] = [];
  const now = Date.now();
  if (Date.parse(x509.validTo) < now) found.push(`${name} expired on ${x509.validTo}`);
  if (Date.parse(x509.validFrom) > now) found.push(`${name} is not valid before ${x509.validFrom}`);
  if (domain !== undefined && !speaksFor(x509, domain)) {
    found.push(
      `${name} is for ${namesOf(x509)}, not for ${domain} (RFC 5922 §7.2: whole names, no wildcards)`,
    );
  }
  return found;
}

// --- Watching ------------------------------------------------------------------------------------------------

/** Milliseconds of quiet after a change: certificate and key are mostly replaced one after the other. */
const settleTime = 250;

/**
 * Calls back some time after any of the files has changed. The folders are watched, since a file that is replaced
 * by renaming is another file; so is a symbolic link that is turned to another folder.
 * @returns stops it
 */
export function watchFiles(
  files: readonly string[],
  onChange: () => void,
  onError: (error: Error) => void,
): () => void {
  const names = new Set(files.map((file) => basename(file)));
  let known = stampOf(files);
  let timer: NodeJS.Timeout | undefined;
  const look = () => {
    timer = undefined;
    const stamp = stampOf(files);
    if (stamp === known) return;
    known = stamp;
    onChange();
  };
  const changed = (_event: string, name: string | null) => {
    // The folder's other files may change all the time: they do not put the look off.
    if (timer !== undefined && name !== null && !names.has(name)) return;
    clearTimeout(timer);
    timer = setTimeout(look, settleTime);
    timer.unref();
  };
  const watchers: FSWatcher[] = [];
  for (const folder of new Set(files.map((file) => dirname(resolve(file))))) {
    try {
      const watcher = watch(folder, { persistent: false }, changed);
      watcher.on("error", onError);
      watchers.push(watcher);
    } catch (error) {
      onError(error as Error);
    }
  }
  return () => {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  };
}

/** Changes with any of the files, also where a link on the way to one is turned. */
function stampOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stats = statSync(file, { throwIfNoEntry: false, bigint: true });
      return stats === undefined ? "-" : `${stats.ino} ${stats.size} ${stats.mtimeNs}`;
    })
    .join();
}
