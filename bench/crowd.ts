// A crowd of phones at the real server: registered over WebSocket and over TLS, refreshing and pinging for a while.
// Prints what each costs in memory and how late the server's event loop was at worst; fails if it misses its gate.
//   node --conditions=@offhook/source bench/crowd.ts [PHONES PER TRANSPORT, 1000] [SECONDS, 30]
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { makeCertificate } from "@offhook/sip/node";

const phones = Number(process.argv[2] ?? 1000);
const seconds = Number(process.argv[3] ?? 30);
/** Seconds that the event loop may be late in 99.9 % of its rounds. */
const gate = 0.02;
const refreshInterval = 10_000;
/** RFC 5626 §4.4.1: between two CRLF keep-alives. */
const pingInterval = 5_000;
const host = "127.0.0.1";

interface Phone {
  readonly name: string;
  readonly transport: "WS" | "TLS";
  /** Number of its last REGISTER. */
  sequence: number;
  isRegistered: boolean;
  send(text: string): void;
}

const counts = { registered: 0, pongs: 0, lost: 0, refused: 0 };

/** A socket and a little more for each phone, here and in the server. */
function checkOpenFiles(): void {
  const needed = 2 * phones + 200;
  const limit = execFileSync("/bin/sh", ["-c", "ulimit -n"], { encoding: "utf8" }).trim();
  if (limit === "unlimited" || Number(limit) >= needed) return;
  console.error(`${needed} open files are needed, ${limit} are allowed: run "ulimit -n ${needed}" first`);
  process.exit(2);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

async function startServer(folder: string, tlsPort: number, httpPort: number): Promise<ChildProcess> {
  const { certificate, key } = makeCertificate({ names: [host] });
  writeFileSync(join(folder, "certificate.pem"), certificate);
  writeFileSync(join(folder, "key.pem"), key, { mode: 0o600 });
  writeFileSync(
    join(folder, "crowd.yaml"),
    `domains: [crowd.test]
listeners:
  - { transport: tls, host: ${host}, port: ${tlsPort}, tls: { certificate: certificate.pem, key: key.pem } }
auth: { enabled: false }
accounts: any
store: { kind: memory }
registrar: { minExpires: 10 }
http: { port: ${httpPort} }
limits: { connectionsPerSource: ${2 * phones + 10} }
`,
  );
  const main = new URL("../packages/cli/src/main.ts", import.meta.url).pathname;
  const server = spawn(
    process.execPath,
    ["--conditions=@offhook/source", main, "serve", "--config", join(folder, "crowd.yaml")],
    { stdio: ["ignore", "ignore", "inherit"], cwd: folder },
  );
  for (let tries = 0; tries < 200; tries++) {
    if (server.exitCode !== null) break;
    const isUp = await fetch(`http://${host}:${httpPort}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isUp) return server;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the server did not start");
}

function register(phone: Phone): void {
  const { name, transport } = phone;
  phone.sequence++;
  phone.send(
    [
      "REGISTER sip:crowd.test SIP/2.0",
      `Via: SIP/2.0/${transport} ${name}.invalid;branch=z9hG4bK-${name}-${phone.sequence};rport`,
      "Max-Forwards: 70",
      `From: <sip:${name}@crowd.test>;tag=${name}`,
      `To: <sip:${name}@crowd.test>`,
      `Call-ID: ${name}-3848276298220188511`,
      `CSeq: ${phone.sequence} REGISTER`,
      `Contact: <sip:${name}@${name}.invalid;transport=${transport.toLowerCase()}>;expires=60`,
      "User-Agent: Crowd",
      "Content-Length: 0\r\n\r\n",
    ].join("\r\n"),
  );
}

/** What came on a phone's connection: answers to REGISTER, or CRLFs. */
function receive(phone: Phone, text: string): void {
  if (text === "\r\n") {
    counts.pongs++;
  } else if (text.startsWith("SIP/2.0 200")) {
    if (!phone.isRegistered) counts.registered++;
    phone.isRegistered = true;
  } else if (text.startsWith("SIP/2.0")) {
    counts.refused++;
  }
}

function lose(phone: Phone): void {
  if (phone.isRegistered) counts.registered--;
  phone.isRegistered = false;
  counts.lost++;
}

async function connectWebSocket(name: string, port: number): Promise<Phone> {
  const socket = new WebSocket(`ws://${host}:${port}/`, "sip");
  const send = (text: string) => socket.send(text);
  const phone: Phone = { name, transport: "WS", sequence: 0, isRegistered: false, send };
  socket.onmessage = ({ data }) => receive(phone, String(data));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`${name}: no WebSocket`));
  });
  socket.onclose = () => lose(phone);
  return phone;
}

async function connectTls(name: string, port: number): Promise<Phone> {
  // The certificate is the server's own of a moment ago: it is not what is measured.
  const socket = connect({ host, port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const send = (text: string) => socket.write(text);
  const phone: Phone = { name, transport: "TLS", sequence: 0, isRegistered: false, send };
  socket.on("error", () => {});
  socket.on("close", () => lose(phone));
  socket.on("data", (bytes: Buffer) => receive(phone, bytes.toString("latin1")));
  return phone;
}

/** Each phone in its turn, spread evenly over the interval. */
function takeTurns(crowd: readonly Phone[], interval: number, act: (phone: Phone) => void): NodeJS.Timeout {
  const slice = 20;
  let due = 0;
  let next = 0;
  return setInterval(() => {
    due += (crowd.length * slice) / interval;
    for (; due >= 1; due--) act(crowd[next++ % crowd.length]!);
  }, slice);
}

async function metricsOf(httpPort: number): Promise<(name: string) => number> {
  const text = await (await fetch(`http://${host}:${httpPort}/metrics`)).text();
  return (name) => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** KiB of memory that the process holds. */
function residentOf({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN);
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

checkOpenFiles();
const folder = mkdtempSync(join(tmpdir(), "offhook-crowd-"));
const [tlsPort, httpPort] = [await freePort(), await freePort()];
const server = await startServer(folder, tlsPort, httpPort);
try {
  const delay = "offhook_event_loop_delay_p999_seconds";
  const before = residentOf(server);
  const crowd: Phone[] = [];
  const arrivals = [
    ["ws", connectWebSocket, httpPort],
    ["tls", connectTls, tlsPort],
  ] as const;
  await metricsOf(httpPort);
  for (const [kind, open, port] of arrivals) {
    const from = residentOf(server);
    const started = performance.now();
    // A few at a time, as after a restart: more would measure how fast this process makes handshakes.
    for (let i = 0; i < phones; i += 10) {
      const some = Array.from({ length: Math.min(10, phones - i) }, (_, k) => open(`${kind}${i + k}`, port));
      for (const phone of await Promise.all(some)) {
        crowd.push(phone);
        register(phone);
      }
    }
    for (let tries = 0; counts.registered < crowd.length && tries < 500; tries++) await wait(20);
    const took = ((performance.now() - started) / 1000).toFixed(1);
    const each = ((residentOf(server) - from) / phones).toFixed(1);
    const registered = crowd.filter((phone) => phone.isRegistered && phone.name.startsWith(kind)).length;
    console.log(`${kind}: ${registered} of ${phones} registered in ${took} s, ${each} KiB each`);
  }
  const arriving = (await metricsOf(httpPort))(delay);
  console.log(`event-loop delay p99.9 while they arrive: ${(arriving * 1000).toFixed(1)} ms`);

  const timers = [
    takeTurns(crowd, refreshInterval, register),
    takeTurns(crowd, pingInterval, ({ send }) => send("\r\n\r\n")),
  ];
  await wait(seconds * 1000);
  for (const timer of timers) clearInterval(timer);
  const metrics = await metricsOf(httpPort);
  const staying = metrics(delay);
  const resident = residentOf(server);
  const { registered, lost, refused, pongs } = counts;
  console.log(
    `after ${seconds} s: ${registered} registered, ${metrics("offhook_bindings")} bindings, ${lost} lost`,
  );
  console.log(
    `REGISTER answered: ${metrics('offhook_responses_sent_total\\{code="200"\\}')}, refused ${refused}`,
  );
  console.log(`keep-alives answered: ${pongs}`);
  console.log(
    `memory: ${(resident / 1024).toFixed(0)} MiB, ${((resident - before) / crowd.length).toFixed(1)} KiB per phone`,
  );
  console.log(`event-loop delay p99.9: ${(staying * 1000).toFixed(1)} ms (gate ${gate * 1000})`);
  if (!(staying <= gate) || registered < 2 * phones) {
    console.error("crowd: a gate is missed");
    process.exitCode = 1;
  }
} finally {
  server.kill("SIGTERM");
  if (server.exitCode === null) await once(server, "exit");
  rmSync(folder, { recursive: true, force: true });
}
process.exit();
