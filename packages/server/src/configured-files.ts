// Where the files are that a configuration names, all found from the configuration's own folder.

import { dirname, join, resolve } from "node:path";
import { nodeClock, nodeHash, type TlsClientOptions, type TlsServerOptions } from "@offhook/sip/node";
import type { Config, LoadedConfig, TlsConfig } from "./config.ts";
import { openStore, type Store } from "./store/index.ts";

/** Whom we trust and who we are on TLS connections that we open. */
export function clientTlsOptions(
  { ca, certificate, key, verify }: Config["tls"],
  folder: string,
): TlsClientOptions {
  const found = (path: string) => resolve(folder, path);
  return {
    verify,
    ...(ca === undefined ? {} : { ca: ca.map(found) }),
    ...(certificate === undefined || key === undefined
      ? {}
      : { certificate: found(certificate), key: found(key) }),
  };
}

/** A TLS listener's certificates. */
export function tlsOptions({ ca, ...tls }: TlsConfig, folder: string): TlsServerOptions {
  const found = ({ certificate, key }: { certificate: string; key: string }) => ({
    certificate: resolve(folder, certificate),
    key: resolve(folder, key),
  });
  return {
    ...found(tls),
    certificates: tls.certificates.map((pair) => ({ domain: pair.domain, ...found(pair) })),
    clientCertificates: tls.clientCertificates,
    ...(ca === undefined ? {} : { ca: ca.map((file) => resolve(folder, file)) }),
  };
}

/** The database file of a configuration. */
export function databaseOf({ config, folder }: LoadedConfig): string {
  return resolve(folder, config.store.path);
}

/** The admin socket of a configuration. */
export function adminSocketOf(loaded: LoadedConfig): string {
  const { config, folder } = loaded;
  return config.admin.socket === undefined
    ? join(dirname(databaseOf(loaded)), "admin.sock")
    : resolve(folder, config.admin.socket);
}

/** Opens what the configuration names; also for commands that work without a running server. */
export function openConfiguredStore(
  loaded: LoadedConfig,
  hooks: Partial<Pick<Parameters<typeof openStore>[0], "clock" | "log" | "onFlushCommitted">> = {},
): Promise<Store> {
  const { store, registrar } = loaded.config;
  return openStore({
    clock: nodeClock,
    ...hooks,
    path: store.kind === "memory" ? "memory" : databaseOf(loaded),
    hash: nodeHash,
    durable: store.durable,
    flushInterval: store.writeBehind,
    keepBindings: store.keepBindings,
    maxBindings: registrar.maxBindings,
    whenFull: registrar.whenFull,
  });
}
