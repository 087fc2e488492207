// The configuration as a zod schema: the one place for names, defaults and explanations (docs/configuration.md is
// printed from it).

import { z } from "zod";

const seconds = z.int().min(1).max(0xffffffff);
const bytes = z
  .int()
  .min(1024)
  .max(1 << 30);
const count = z.int().min(1).max(100_000_000);
const port = z.int().min(0).max(65535);

const address = z
  .string()
  .min(1)
  .regex(/^[A-Za-z0-9.:_-]+(%[A-Za-z0-9]+)?$/, "an IP address or host name, without port or brackets");

const advertise = z
  .strictObject({
    host: address.describe("Name or address that peers reach this listener by"),
    port: port.min(1).optional().describe("Port that peers reach it by; default: the listener's"),
  })
  .describe("What Via, Contact and Record-Route say instead of the bound address (containers, cloud NAT)");

const pemFile = z.string().min(1);

const certificatePair = {
  certificate: pemFile.describe("PEM file with the certificate, intermediate ones after it"),
  key: pemFile.describe("PEM file with its private key, without passphrase"),
};

const tls = z
  .strictObject({
    ...certificatePair,
    certificates: z
      .array(
        z.strictObject({ domain: address.describe("Name that clients ask for (SNI)"), ...certificatePair }),
      )
      .default([])
      .describe("Certificates of further domains; the one above is for all others"),
    clientCertificates: z
      .enum(["off", "optional", "required"])
      .default("off")
      .describe("Whether clients are asked for a certificate"),
    ca: z
      .array(pemFile)
      .min(1)
      .optional()
      .describe("PEM files of the authorities for clients' certificates; default: those that Node knows"),
  })
  .describe("Certificates, read again when the files change; paths are relative to the configuration");

const listenerKeys = z.strictObject({
  transport: z
    .enum(["udp", "tcp", "tls", "ws", "wss"])
    .describe("Transport; `ws` and `wss` are WebSocket on a port of their own"),
  host: address
    .default("127.0.0.1")
    .describe("Address to bind; 0.0.0.0 and :: mean every address of the machine"),
  port: port.optional().describe("Port; 0 lets the system choose. Default: 5060, for `tls` 5061"),
  advertise: z
    .union([address, advertise])
    .transform((value): { host: string; port?: number } => {
      if (typeof value === "string") return { host: value };
      return value.port === undefined ? { host: value.host } : { host: value.host, port: value.port };
    })
    .optional()
    .describe(
      "Name or `{ host, port }` that Via, Contact and Record-Route show instead (containers, cloud NAT)",
    ),
  tls: tls.optional().describe("`tls`, `wss`: certificates"),
  bufferSize: bytes
    .default(4_194_304)
    .describe("UDP: bytes of receive and send buffer to ask the system for"),
  batch: z
    .enum(["auto", "on", "off"])
    .default("auto")
    .describe(
      "UDP: whether datagrams are read and sent in batches, which takes less CPU (`@offhook/udp-batch`, Linux). `auto`: where it is compiled; `on` refuses to start where it is not",
    ),
  gather: z
    .int()
    .min(0)
    .max(20)
    .default(8)
    .describe(
      "UDP in batches: milliseconds that datagrams may wait so that more are read at once. None wait where fewer than eight would come in that time; 0: never",
    ),
});

const listener = listenerKeys.transform((keys) => ({
  ...keys,
  port: keys.port ?? (keys.transport === "tls" ? 5061 : 5060),
}));

const outboundTls = z.strictObject({
  ca: z
    .array(pemFile)
    .min(1)
    .optional()
    .describe("PEM files of the authorities for servers' certificates; default: those that Node knows"),
  certificate: pemFile.optional().describe("PEM file with the certificate that we show to servers that ask"),
  key: pemFile.optional().describe("PEM file with its private key, without passphrase"),
  verify: z
    .boolean()
    .default(true)
    .describe("`false` takes any certificate: nothing is known about the peer then"),
});

const auth = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether REGISTER and calls of our users need a password"),
  withoutPasswordInPublic: z
    .boolean()
    .default(false)
    .describe("Must be `true` as well if `enabled` is `false` and a listener is not on loopback"),
  algorithms: z
    .array(z.enum(["MD5", "SHA-256", "SHA-512-256"]))
    .min(1)
    .default(["MD5"])
    .describe("Digest algorithms offered, most wanted first; many phones give up when they see any but MD5"),
  nonceLifetime: seconds.default(300).describe("Seconds that a challenge may be answered"),
});

const accounts = z
  .union([
    z.enum(["database", "any"]),
    z.strictObject({
      any: z
        .strictObject({ password: z.string().min(1).describe("The one password of all users") })
        .describe("Every user exists"),
    }),
  ])
  .describe(
    "`database`: those of `offhook user add`. `any`: every user of our domains exists, for tests and measurements; with `auth`, `{ any: { password } }` gives all the same password",
  );

const store = z.strictObject({
  kind: z
    .enum(["sqlite", "memory"])
    .default("sqlite")
    .describe("`memory` forgets bindings, accounts and call records when the server stops"),
  path: z
    .string()
    .min(1)
    .default("offhook-data/offhook.db")
    .describe("Database file, relative to the configuration"),
  durable: z
    .boolean()
    .default(false)
    .describe("Answer a REGISTER only once it is on disk, safe from a power cut, instead of soon after"),
  writeBehind: z
    .int()
    .min(1)
    .max(100)
    .default(50)
    .describe("Milliseconds from a change to its writing, at most"),
  keepBindings: z
    .boolean()
    .default(true)
    .describe(
      "`false` keeps registrations in memory only; accounts and call records are in the file all the same",
    ),
});

const registrar = z.strictObject({
  minExpires: seconds.default(60).describe("Seconds; a REGISTER for less gets 423"),
  defaultExpires: seconds.default(3600).describe("Seconds, if a REGISTER names none"),
  maxExpires: seconds.default(7200).describe("Seconds; longer registrations are cut to this"),
  maxBindings: z.int().min(1).max(1000).default(32).describe("Contacts per address-of-record"),
  whenFull: z
    .enum(["reject", "replace oldest"])
    .default("reject")
    .describe("What happens to one contact more than `maxBindings`"),
  unsupportedPath: z
    .enum(["accept", "reject"])
    .default("accept")
    .describe("A Path in a REGISTER from a phone that does not know Path (RFC 3327 §5.3); `reject`: 420"),
});

const relay = z.strictObject({
  inbound: z
    .enum(["allow", "peers", "deny"])
    .optional()
    .describe(
      "Who outside our domains may call our users; default: `allow` if all listeners are on loopback, else `peers`",
    ),
  peers: z
    .array(z.string())
    .default([])
    .describe(
      "Addresses, networks, or SIP domains of clients' certificates (`clientCertificates`), trusted without password: they may call our users, and others through us",
    ),
});

const proxy = z.strictObject({
  recurse: z
    .boolean()
    .default(false)
    .describe("Follow the redirections (3xx) of our users' devices instead of passing them to the caller"),
  onBreadth: z
    .enum(["serial", "reject"])
    .default("serial")
    .describe(
      "When a request may not fork to all devices at once (Max-Breadth, RFC 5393): one after the other, or 440",
    ),
  requirePath: z
    .boolean()
    .default(false)
    .describe(
      "REGISTER on its way to another registrar must support Path (RFC 3327), without it 421: for phones that only we can reach",
    ),
  uriSchemes: z
    .array(z.string().regex(/^[a-z][a-z0-9.+-]*$/, "a URI scheme in lower case, such as tel"))
    .min(1)
    .default(["sip", "sips", "tel"])
    .describe("Schemes of Request-URIs; a request with another one gets 416"),
});

const http = z.strictObject({
  host: address.default("127.0.0.1").describe("Address for `/metrics`, `/health` and SIP over WebSocket"),
  port: port.default(8060).describe("Port; 0 lets the system choose"),
  tls: tls.optional().describe("With it, HTTPS and secure WebSocket"),
});

const webSocket = z.strictObject({
  onHttp: z.boolean().default(true).describe("Whether the HTTP port takes SIP over WebSocket too"),
  origins: z
    .array(
      z.union([
        z.literal("*"),
        z
          .string()
          .regex(/^[a-z]+:\/\/[^/?#\s]+$/i, "an origin such as https://phone.example.com, without path")
          .toLowerCase(),
      ]),
    )
    .default([])
    .describe(
      "Origins of web pages that may connect, or `*` for all; pages of localhost always may, and pages of this very host if it is an address or a name of ours (`domains`, `advertise`)",
    ),
  pingInterval: seconds
    .default(25)
    .describe("Seconds between pings; a client that has sent nothing by the next one is cut off"),
});

const admin = z.strictObject({
  socket: z
    .string()
    .min(1)
    .optional()
    .describe("Unix socket for `offhook user`, `calls`, …; default: `admin.sock` beside the database"),
});

const trace = z.strictObject({
  calls: z.int().min(0).max(1_000_000).default(1000).describe("Calls whose messages are kept; 0 keeps none"),
  messagesPerCall: z.int().min(1).max(100_000).default(100).describe("Messages kept of one call"),
  bytes: bytes.default(67_108_864).describe("Bytes of messages kept in all"),
});

const limits = z.strictObject({
  messageSize: z
    .int()
    .min(1024)
    .max(1_048_576)
    .default(65_536)
    .describe("Bytes of one message; above it 513, and so with a header of more than 64 KiB"),
  bodySize: z
    .int()
    .min(0)
    .max(1_048_576)
    .optional()
    .describe("Bytes of a request's body; above it 413. Default: no bound of its own"),
  uriLength: z.int().min(64).max(8000).default(4096).describe("Bytes of a Request-URI; above it 414"),
  headerCount: z.int().min(16).max(10_000).default(256).describe("Header field lines of one message"),
  connections: count.default(10_000).describe("TCP connections in all"),
  connectionsPerSource: count
    .default(1000)
    .describe(
      "TCP connections of one address, or of one IPv6 network (/64), as in the other limits by source",
    ),
  silentConnection: seconds
    .default(30)
    .describe("Seconds that a new connection may stay without a whole message"),
  idleConnection: seconds
    .default(7500)
    .describe(
      "Seconds without a message or keep-alive after which a connection is closed. Less than registrations last, and phones without keep-alives cannot be called in between",
    ),
  transactions: count
    .default(1_000_000)
    .describe("Live transactions; above it requests outside dialogs get 503, above a quarter more all do"),
  requestsPerSource: count
    .default(10_000)
    .describe(
      "Requests outside dialogs, and malformed ones, from one address in a second, and as many again in dialogs; more get 503, more than twice as many no answer. Not for `relay.peers`",
    ),
  failedAuthPerSource: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(30)
    .describe(
      "Wrong passwords for one user from one address in a minute (for all users together: ten times as many); after that requests with credentials for them get 403 from there, right or wrong",
    ),
});

const overload = z.strictObject({
  maintenance: z
    .boolean()
    .default(false)
    .describe(
      "Calls that are up go on, requests outside dialogs get 503, and so does `/health`; `offhook maintenance on` and `off` change it while the server runs",
    ),
  eventLoopDelay: z
    .int()
    .min(10)
    .max(60_000)
    .default(1000)
    .describe(
      "Milliseconds that work may wait for its turn; while it waits longer, requests outside dialogs get 503",
    ),
  retryAfter: seconds
    .default(10)
    .describe("Seconds in the Retry-After of every 503 for want of room or time"),
});

const compat = z.strictObject({
  rfc2543: z
    .boolean()
    .default(false)
    .describe(
      "Two codes that RFC 3261 has no longer: 409 for a Contact whose `action` is not that of the user's other ones, 411 for a request without Content-Length over TCP or TLS, or over UDP with a body",
    ),
});

const log = z.strictObject({
  level: z
    .enum(["silent", "error", "warn", "info", "debug"])
    .default("warn")
    .describe("Lines of this weight and above are written, as JSON"),
  file: z.string().min(1).optional().describe("File for them; default: standard error"),
  calls: z.boolean().default(true).describe("One readable line per call on standard output"),
});

const dns = z.strictObject({
  servers: z
    .array(
      z
        .string()
        .regex(
          /^(\d+(\.\d+){3}(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)$/,
          "an IP address, with a port as in 192.0.2.1:5353 or [2001:db8::1]:5353",
        ),
    )
    .min(1)
    .optional()
    .describe("Name servers to ask, as `192.0.2.1` or `192.0.2.1:5353`; default: the system's"),
  timeout: z
    .int()
    .min(50)
    .max(30_000)
    .default(1500)
    .describe(
      "Milliseconds for an answer; asked once more, a name server has twice as long. Where nobody could say in time who is next, a request gets 504",
    ),
});

/** The whole file. */
export const configSchema = z.strictObject({
  domains: z
    .array(address)
    .default([])
    .describe(
      "Domains whose users we serve; listener addresses, `advertise` names and `localhost` are always ours too",
    ),
  listeners: z
    .array(listener)
    .min(1)
    .default([
      { transport: "udp", host: "127.0.0.1", port: 5060, bufferSize: 4_194_304, batch: "auto", gather: 8 },
      { transport: "tcp", host: "127.0.0.1", port: 5060, bufferSize: 4_194_304, batch: "auto", gather: 8 },
    ])
    .describe("Sockets that SIP comes in by; default: UDP and TCP 127.0.0.1:5060"),
  tls: outboundTls.prefault({}).describe("TLS connections that we open"),
  auth: auth.prefault({}).describe("Digest authentication"),
  accounts: accounts.default("database"),
  aliases: z
    .record(z.string().min(1), z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]))
    .default({})
    .describe("Other names of users: name → user, SIP URI or a list of them, all of which ring"),
  store: store.prefault({}).describe("Where bindings, accounts and call records live"),
  registrar: registrar.prefault({}).describe("REGISTER"),
  relay: relay.prefault({}).describe("Calls from and to other domains"),
  proxy: proxy.prefault({}).describe("How requests are sent on"),
  http: z
    .union([z.literal(false), http])
    .prefault({})
    .describe("Metrics, health and SIP over WebSocket over HTTP; `false` turns it off"),
  webSocket: webSocket.prefault({}).describe("SIP over WebSocket (RFC 7118)"),
  dns: dns.prefault({}).describe("How SIP servers of other domains are found (RFC 3263)"),
  admin: admin.prefault({}).describe("Administration of the running server"),
  trace: trace.prefault({}).describe("Messages of recent calls, for `offhook trace`"),
  limits: limits.prefault({}).describe("What one peer, or all together, may use"),
  overload: overload.prefault({}).describe("When this server asks to be spared"),
  compat: compat.prefault({}).describe("Older rules, for older peers"),
  log: log.prefault({}).describe("What is written while running"),
  rehearsal: z
    .boolean()
    .default(true)
    .describe(
      "Whether the server, before it listens, plays registrations and calls with itself for a second or two: until its code is compiled each call takes several times as long, which a busy server that starts again cannot afford",
    ),
});

/** A checked configuration, defaults filled in. */
export type Config = z.output<typeof configSchema>;
export type ListenerConfig = Config["listeners"][number];
export type TlsConfig = z.output<typeof tls>;
