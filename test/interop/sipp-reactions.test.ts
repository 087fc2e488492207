// SIPp as a server answers our client with each code and sees that the right next request comes: sipp/react-*.xml check
// it. Over UDP and TCP, by the test phone where it has the means, else by a user agent.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Rejected } from "@offhook/sip";
import { audio, tcp, udp } from "@offhook/sip/node";
import { type CallOptions, UserAgent, type UserAgentOptions } from "@offhook/sip/user-agent";
import { freePort } from "../free-port.ts";
import { needs, Program } from "./peers/program.ts";
import { commandLine } from "./peers/server.ts";
import { failureOf, scriptsNamed, serveSipp } from "./peers/sipp.ts";

const host = "127.0.0.1";
/** Each test has SIPp and ports of its own, and mostly waits. */
const options = { ...needs("sipp"), concurrency: 4 };
type Transport = "udp" | "tcp";

/** Names of scripts. */
const played = new Set<string>();

/** Where SIPp listens, in the forms that clients want. */
interface Server {
  readonly port: number;
  readonly transport: Transport;
  /** Its user. */
  uri(user: string): string;
  /** Fulfilled when SIPp has seen what it wanted to see. */
  readonly ended: Promise<unknown>;
}

/** Plays the script as a server while `client` runs; both have to succeed. */
async function play(
  script: string,
  transport: Transport,
  client: (server: Server) => Promise<void>,
  keys: Record<string, string> = {},
): Promise<void> {
  const failure = await failureOf(() => playOnce(script, transport, client, keys));
  assert.ifError(failure);
}

async function playOnce(
  script: string,
  transport: Transport,
  client: (server: Server) => Promise<void>,
  keys: Record<string, string>,
) {
  const port = await freePort(host);
  const { result, program } = await serveSipp(script, { host, port, transport, keys });
  const parameter = transport === "tcp" ? ";transport=tcp" : "";
  const server = {
    ...{ port, transport, ended: program.ended },
    uri: (user: string) => `sip:${user}@${host}:${port}${parameter}`,
  };
  let failure: unknown;
  try {
    await client(server);
  } catch (error) {
    failure = error;
    await program.stop("SIGTERM");
  }
  const outcome = await result();
  return { failure: failure ?? outcome.failure, stoodStill: outcome.stoodStill };
}

/** Plays it over both transports. */
function both(
  title: string,
  script: string,
  client: (server: Server) => Promise<void>,
  keys?: Record<string, string>,
): void {
  played.add(script);
  for (const transport of ["udp", "tcp"] as const) {
    test(`${title}, ${transport.toUpperCase()}`, () => play(script, transport, client, keys));
  }
}

/** A command of the test phone towards SIPp; its output. */
async function offhook(exitCode: number, args: string[]): Promise<string> {
  const command = new Program(process.execPath, [...commandLine, ...args, "--address", host], {
    name: "offhook",
  });
  assert.equal(await command.ended, exitCode, command.output);
  return command.output;
}

async function withAgent(
  server: Server,
  options: Partial<UserAgentOptions>,
  work: (agent: UserAgent) => Promise<void>,
): Promise<void> {
  const socket = { address: host };
  const agent = new UserAgent({
    aor: `sip:alice@${host}`,
    transports: server.transport === "tcp" ? [tcp(socket)] : [udp(socket), tcp(socket)],
    media: audio(),
    ...options,
  });
  try {
    await agent.ready;
    await work(agent);
  } finally {
    await agent.stop();
  }
}

/** A call that is answered in the end, and ended by us. */
const callOf =
  (options: CallOptions, agentOptions: Partial<UserAgentOptions> = {}) =>
  (server: Server): Promise<void> =>
    withAgent(server, agentOptions, async (agent) => {
      const call = await agent.invite(server.uri("bob"), options);
      await call.hangUp();
    });

const offer = (name: string) =>
  `v=0\r\no=- 1 1 IN IP4 ${host}\r\ns=-\r\nc=IN IP4 ${host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=${name}\r\n`;

describe("offhook call tries again", options, () => {
  // The longest first, beside all others.
  both("react-491: offhook call puts on hold once more", "react-491", async ({ uri }) => {
    const output = await offhook(0, ["call", uri("bob"), "--hold", "0.1", "--duration", "5"]);
    assert.match(output, /491 Request Pending: trying again in (?:2\.[1-9]|3\.\d|4\.0) s[\s\S]*on hold/);
  });

  const rows: [script: string, options: string[], says: RegExp][] = [
    ["react-302", [], /302 Moved Temporarily: trying again/],
    ["react-305", [], /305 Use Proxy: trying again/],
    ["react-401", ["-p", "secret", "--user", "bob"], /answered/],
    ["react-407", ["-p", "secret", "--user", "bob"], /answered/],
    ["react-413", [], /413 Request Entity Too Large: trying again/],
    ["react-413-later", [], /413 Request Entity Too Large: trying again in 1\.0 s/],
    ["react-420", ["--100rel", "required"], /420 Bad Extension: trying again/],
    ["react-421", ["--100rel", "off"], /421 Extension Required: trying again/],
    ["react-500", [], /500 Server Internal Error: trying again in 2\.0 s/],
    ["react-503", [], /503 Service Unavailable: trying again in 1\.0 s/],
    ["react-513", [], /513 Message Too Large: trying again/],
    ["react-unknown-1xx", [], /185 Nearly There/],
  ];
  for (const [script, options, says] of rows) {
    both(script, script, async ({ uri }) => {
      assert.match(await offhook(0, ["call", uri("bob"), "--duration", "0.2", ...options]), says);
    });
  }

  both("react-423: offhook register asks for longer", "react-423", async ({ uri }) => {
    assert.match(await offhook(0, ["register", uri("bob"), "--expires", "60"]), /registered for/);
  });

  test("react-final: offhook call says what it means", () =>
    play(
      "react-final",
      "udp",
      async ({ uri }) => {
        const output = await offhook(1, ["call", uri("bob")]);
        assert.match(output, /offhook: 486 Busy Here: [A-Z].*\./);
      },
      { status: "486 Busy Here" },
    ));
});

describe("a user agent tries again", options, () => {
  both("react-422", "react-422", callOf({ headers: [["Session-Expires", 90]] }));
  both("react-488", "react-488", callOf({ sdp: offer("first"), fallbackOffers: [offer("other")] }));
  both("react-606", "react-606", callOf({ sdp: offer("first"), fallbackOffers: [offer("other")] }));
  both("react-406", "react-406", (server) =>
    withAgent(server, {}, async (agent) => {
      await agent.request("OPTIONS", server.uri("bob"), { headers: [["Accept", "text/plain"]] });
    }),
  );
  both("react-415", "react-415", (server) =>
    withAgent(server, {}, async (agent) => {
      await agent.request("MESSAGE", server.uri("bob"), {
        ...{ body: "<p>words", contentType: "text/html" },
        alternatives: [{ body: "plain words", contentType: "text/plain" }],
      });
    }),
  );
  both("react-416", "react-416", (server) =>
    withAgent(
      server,
      { aor: "sip:alice@home.example", outboundProxy: server.uri("proxy") },
      async (agent) => {
        const call = await agent.invite("tel:+15551212");
        await call.hangUp();
      },
    ),
  );
});

describe("failures that are final: one INVITE, told as received", options, () => {
  for (const status of [
    ...["400 Bad Request", "403 Forbidden", "404 Not Found", "405 Method Not Allowed", "406 Not Acceptable"],
    ...["408 Request Timeout", "410 Gone", "414 Request-URI Too Long", "415 Unsupported Media Type"],
    ...["440 Max-Breadth Exceeded", "480 Temporarily Unavailable", "481 Call/Transaction Does Not Exist"],
    ...["482 Loop Detected", "483 Too Many Hops", "484 Address Incomplete", "486 Busy Here"],
    ...[
      "487 Request Terminated",
      "488 Not Acceptable Here",
      "493 Undecipherable",
      "500 Server Internal Error",
    ],
    ...["501 Not Implemented", "502 Bad Gateway", "503 Service Unavailable", "504 Server Time-out"],
    ...["505 Version Not Supported", "600 Busy Everywhere", "603 Decline", "604 Does Not Exist Anywhere"],
    ...["606 Not Acceptable", "499 Nobody Knows", "699 Nobody Knows"],
  ]) {
    both(
      status,
      "react-final",
      (server) =>
        withAgent(server, {}, async (agent) => {
          await assert.rejects(agent.invite(server.uri("bob")), (error) => {
            assert(error instanceof Rejected);
            assert.equal(error.message, status);
            assert.deepEqual(error.retries, []);
            return true;
          });
          // Who leaves closes the connection: SIPp looks for more on it.
          await server.ended;
        }),
      { status },
    );
  }
});

describe("failures in a call", options, () => {
  const hold = (server: Server, then: (call: Awaited<ReturnType<UserAgent["invite"]>>) => Promise<void>) =>
    withAgent(server, { update: false }, async (agent) => {
      const call = await agent.invite(server.uri("bob"));
      await assert.rejects(call.hold(), Rejected);
      assert.equal(call.isOnHold, false);
      await then(call);
    });
  for (const status of [
    "404 Not Found",
    "408 Request Timeout",
    "480 Temporarily Unavailable",
    "481 Gone Here",
  ]) {
    both(
      `${status} to a re-INVITE: BYE`,
      "react-in-call-ends",
      (server) =>
        hold(server, async (call) => {
          assert.equal((await call.ended).cause, "no dialog");
        }),
      { status },
    );
  }
  for (const status of [
    "403 Forbidden",
    "488 Not Acceptable Here",
    "500 Server Internal Error",
    "603 Decline",
  ]) {
    both(
      `${status} to a re-INVITE: the call goes on`,
      "react-in-call-stays",
      (server) =>
        hold(server, async (call) => {
          await call.request("INFO");
          await call.hangUp();
        }),
      { status },
    );
  }
});

test("every script react-*.xml is played", () => {
  assert.deepEqual([...played].sort(), scriptsNamed("react-"));
});
