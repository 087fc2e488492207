// Reading the configuration file: YAML with positions, checked by the schema. An error names file, line and key.

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, resolve } from "node:path";
import { isMap, isPair, isScalar, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { type Config, configSchema } from "./config-schema.ts";
import { PeerList } from "./routing/index.ts";

export type { Config, ListenerConfig, TlsConfig } from "./config-schema.ts";

/** The configuration cannot be used; `message` has one line per mistake, each with file and line. */
export class ConfigError extends Error {
  readonly code = "OFFHOOK_CONFIG";
}

/** A configuration and the folder that its relative paths start from. */
export interface LoadedConfig {
  readonly config: Config;
  readonly folder: string;
}

/** @throws {ConfigError} */
export function loadConfig(file: string): LoadedConfig {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `${file}: ${code === "ENOENT" ? "there is no such file" : (error as Error).message}`,
    );
  }
  return { config: parseConfig(text, file), folder: dirname(resolve(file)) };
}

/** Checks the text of a configuration file; `file` is for messages. @throws {ConfigError} */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line);
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors
        .map((error) => `${file}:${lineAt(error.pos[0])}: ${firstLine(error.message)}`)
        .join("\n"),
    );
  }
  const value: unknown = document.toJS() ?? {};
  const checked = configSchema.safeParse(value);
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length > 0; length--) {
      const parent: unknown = document.getIn(path.slice(0, length - 1), true);
      const key = path[length - 1];
      const inside = length === 1 ? document.contents : parent;
      if (isMap(inside)) {
        const pair = inside.items.find(
          (item) => isPair(item) && isScalar(item.key) && item.key.value === key,
        );
        if (pair !== undefined && isScalar(pair.key)) return lineAt(pair.key.range?.[0]);
      }
      const node = document.getIn(path.slice(0, length), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range !== undefined) return lineAt(node.range[0]);
    }
    return 1;
  };
  if (!checked.success) {
    const mistakes = checked.error.issues.flatMap((issue) => explain(issue, value));
    throw new ConfigError(
      mistakes.map(({ path, text }) => `${file}:${lineOf(path)}: ${printPath(path)}${text}`).join("\n"),
    );
  }
  const mistake = inconsistency(checked.data);
  if (mistake !== undefined) {
    throw new ConfigError(`${file}:${lineOf(mistake.path)}: ${printPath(mistake.path)}${mistake.text}`);
  }
  return checked.data;
}

/**
 * The configuration without a file: the demo. `host` serves other machines than this one. TLS has the port above,
 * and a certificate that the server makes itself.
 */
export function demoConfig(host = "127.0.0.1", port = 5060): Config {
  const plain = (["udp", "tcp"] as const).map((transport) => ({ transport, host, port }));
  const tls = { transport: "tls", host, port: port === 0 ? 0 : port + 1, tls: demoCertificate } as const;
  return configSchema.parse({ listeners: [...plain, tls] });
}

/** Files of the demo's own certificate. */
export const demoCertificate = {
  certificate: "offhook-data/certificate.pem",
  key: "offhook-data/certificate.key",
} as const;

/** True for the addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Where SIP comes in: the listeners' addresses, and that of the HTTP port if it takes WebSockets. */
export function sipHosts({ listeners, http, webSocket }: Config): string[] {
  const hosts = listeners.map(({ host }) => host);
  return http !== false && webSocket.onHttp ? [...hosts, http.host] : hosts;
}

interface Mistake {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** What no single key shows: values that do not go together. */
function inconsistency(config: Config): Mistake | undefined {
  const { auth, accounts, registrar, relay, store } = config;
  for (const [index, { transport, tls }] of config.listeners.entries()) {
    const isSecure = transport === "wss" || transport === "tls";
    if (isSecure && tls === undefined) {
      return { path: ["listeners", index], text: `${transport} needs tls: { certificate: …, key: … }` };
    }
    if (!isSecure && tls !== undefined) {
      const text = `means nothing for ${transport}; allowed with tls and wss`;
      return { path: ["listeners", index, "tls"], text };
    }
  }
  const exposed = sipHosts(config).find((host) => !isLoopback(host));
  if (!auth.enabled && !auth.withoutPasswordInPublic && exposed !== undefined) {
    const text = `false would let anybody who reaches ${exposed} use this server; if that is wanted, say auth.withoutPasswordInPublic: true as well`;
    return { path: ["auth", "enabled"], text };
  }
  if (auth.enabled && accounts === "any") {
    const text = "any needs auth.enabled: false, or one password for all: { any: { password: … } }";
    return { path: ["accounts"], text };
  }
  if (registrar.minExpires > registrar.maxExpires) {
    return {
      path: ["registrar", "minExpires"],
      text: `must not be above maxExpires (${registrar.maxExpires})`,
    };
  }
  for (const [index, peer] of relay.peers.entries()) {
    try {
      new PeerList([peer]);
    } catch (error) {
      return { path: ["relay", "peers", index], text: (error as Error).message };
    }
  }
  if ((config.tls.certificate === undefined) !== (config.tls.key === undefined)) {
    return { path: ["tls"], text: "certificate and key go together" };
  }
  if ((store.kind === "memory" || !store.keepBindings) && store.durable) {
    return { path: ["store", "durable"], text: "needs store.kind: sqlite, with keepBindings" };
  }
  return undefined;
}

function explain(issue: z.core.$ZodIssue, root: unknown): Mistake[] {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: [...path, key],
        text: `is not known here; allowed: ${allowedKeys(path).join(", ")}`,
      }));
    case "invalid_value":
      return [
        {
          path,
          text: `${show(at(root, path))} is not allowed; allowed: ${issue.values.map(String).join(", ")}`,
        },
      ];
    case "invalid_type":
      return [
        { path, text: `${show(at(root, path))} is not allowed; it must be ${article(issue.expected)}` },
      ];
    case "too_small":
      return [{ path, text: `${show(at(root, path))} is too small; at least ${issue.minimum}` }];
    case "too_big":
      return [{ path, text: `${show(at(root, path))} is too big; at most ${issue.maximum}` }];
    case "invalid_format":
      return [{ path, text: `${show(at(root, path))} is not allowed; it must be ${issue.message}` }];
    case "invalid_union": {
      // The alternative of the same kind as what stands there knows best what is wrong inside it.
      const value = at(root, path);
      const inner = issue.errors.find((issues) =>
        issues.some((one) => one.path.length > 0 || one.code === "unrecognized_keys"),
      );
      if (inner !== undefined && typeof value === "object") {
        return inner.flatMap((one) => explain({ ...one, path: [...path, ...one.path] }, root));
      }
      const allowed = issue.errors.flatMap((issues) => issues.map(alternative));
      return [
        { path, text: `${show(value)} is not allowed; it must be ${[...new Set(allowed)].join(" or ")}` },
      ];
    }
    default:
      return [{ path, text: issue.message }];
  }
}

function alternative(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value") return issue.values.map(String).join(", ");
  if (issue.code === "invalid_type") return article(issue.expected);
  return issue.message;
}

/** The names that may stand in the object at `path`, read from the schema. */
function allowedKeys(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema;
  for (const key of path)
    schema = typeof key === "number" ? elementOf(schema) : shapeOf(schema)?.[String(key)];
  return Object.keys(shapeOf(schema) ?? {});
}

interface Definition {
  readonly shape?: Record<string, unknown>;
  readonly innerType?: unknown;
  readonly element?: unknown;
  readonly options?: readonly unknown[];
  /** What a transform starts from. */
  readonly in?: unknown;
}

const definitionOf = (schema: unknown): Definition =>
  (schema as { _zod?: { def?: Definition } } | undefined)?._zod?.def ?? {};

function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const { shape, innerType, options, in: input } = definitionOf(schema);
  if (shape !== undefined) return shape;
  if (innerType !== undefined) return shapeOf(innerType);
  if (input !== undefined) return shapeOf(input);
  return options?.map(shapeOf).find((one) => one !== undefined);
}

function elementOf(schema: unknown): unknown {
  const { element, innerType } = definitionOf(schema);
  return element ?? (innerType === undefined ? undefined : elementOf(innerType));
}

function at(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) value = (value as Record<PropertyKey, unknown> | undefined)?.[key];
  return value;
}

/** Never the value of a secret. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a mapping";
  return JSON.stringify(value);
}

function article(expected: string): string {
  const names: Record<string, string> = {
    ...{ int: "a whole number", number: "a number", string: "a text", boolean: "true or false" },
    ...{ object: "a mapping", array: "a list", record: "a mapping" },
  };
  return names[expected] ?? expected;
}

function printPath(path: readonly PropertyKey[]): string {
  if (path.length === 0) return "";
  const text = path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  return `${text.slice(1)}: `;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
