// The relay rules and the account directory on a virtual network: who gets through, who rings.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Challenger, computeHa1, digestResponse, type Ha1Lookup } from "@offhook/sip/auth";
import { isSipUri, parseMessage, type SipMessage, type Uri } from "@offhook/sip/message";
import { nodeHash } from "@offhook/sip/node";
import { ProxyServer } from "@offhook/sip/proxy";
import { MemoryLocationService } from "@offhook/sip/registrar";
import { Stack } from "@offhook/sip/stack";
import { Network, SeededRandom, VirtualClock, VirtualDriver } from "@offhook/sip/testing";
import { AccountDirectory, type DirectoryOptions } from "./account-directory.ts";
import { makeAdmission, PeerList, type RelayRules } from "./relay.ts";

const encoder = new TextEncoder();
const server = { address: "10.0.0.1", port: 5060 };
const domains = {
  primary: "example.com",
  isOurHost: (host: string) => host === "example.com" || host === "10.0.0.1",
  canonical: () => "example.com",
  isOurs: (uri: Uri) => isSipUri(uri) && uri.port !== 5070 && domains.isOurHost(uri.host),
};
const users = ["alice", "bob", "carol"];
/** Stored aliases: 100 is alice. */
const accounts = {
  resolve: (name: string, domain: string) => {
    const user = name === "100" ? "alice" : name;
    return domain === "example.com" && users.includes(user) ? { user, domain } : undefined;
  },
};
/** As a store that computes HA1 for the name as given: "alice" and "alice@example.com" both are alice. */
const ha1: Ha1Lookup = (user, realm, algorithm) => {
  const name = user.replace("@example.com", "");
  return users.includes(name)
    ? computeHa1(nodeHash, algorithm, { user, realm, password: `${name}'s` })
    : undefined;
};

interface Got {
  readonly at: string;
  readonly message: SipMessage;
}

/** A server, and hosts that note what they get. */
class Town {
  readonly clock = new VirtualClock();
  readonly network = new Network({ clock: this.clock });
  readonly locations = new MemoryLocationService({ clock: this.clock, random: new SeededRandom(7) });
  readonly got: Got[] = [];
  readonly stack: Stack;
  readonly proxy: ProxyServer;
  readonly challenger: Challenger;
  readonly #driver = new VirtualDriver(this.network, server.address);
  #count = 0;

  constructor(
    rules: Partial<RelayRules> & { password?: boolean } = {},
    directory: Partial<DirectoryOptions> = {},
  ) {
    const { clock, network } = this;
    const random = network.random;
    this.challenger = new Challenger({ clock, random, hash: nodeHash });
    this.stack = new Stack({ sink: this.#driver, clock, random });
    this.#driver.attach(this.stack);
    this.#driver.listen({ transport: "UDP" });
    const book = new AccountDirectory({
      domains,
      accounts,
      locations: this.locations,
      flowById: (id) => this.stack.flowById(id),
      ...directory,
    });
    this.proxy = new ProxyServer({
      stack: this.stack,
      clock,
      random,
      isOurs: domains.isOurs,
      route: book.route,
      admit: makeAdmission({
        domains,
        authentication: rules.password === false ? undefined : { challenger: this.challenger, ha1 },
        owns: book.owns,
        inbound: "allow",
        peers: [],
        ...rules,
      }),
    });
    this.stack.roles = this.proxy.roles;
    for (const address of ["10.0.0.2", "10.0.0.3", "10.0.0.9", "192.0.2.7", "203.0.113.5", "198.51.100.7"]) {
      network.occupy(
        "UDP",
        { address, port: 5060 },
        { datagram: (bytes) => this.got.push({ at: address, message: parseMessage(bytes.slice()) }) },
      );
    }
  }

  register(
    user: string,
    contact: string,
    more: { flowId?: string; transport?: "UDP" | "TCP"; q?: number } = {},
  ) {
    const { flowId, transport = "UDP", q = 1 } = more;
    const [address = ""] = /\d+(\.\d+){3}/.exec(contact) ?? [];
    this.locations.update(`sip:${user}@example.com`, {
      callId: `reg-${++this.#count}`,
      cSeq: 1,
      contacts: [{ uri: contact, expires: 3600, q }],
      path: [],
      flowId,
      received: { transport, address, port: 5060 },
      now: this.clock.now(),
    });
  }

  /** Sends a request and says what came of it: "407", or "INVITE at 10.0.0.2" for what went on. */
  async try(
    from: { address: string; uri: string },
    to: string,
    options: {
      method?: string;
      headers?: readonly string[];
      toTag?: string;
      callId?: string;
      fromTag?: string | undefined;
    } = {},
  ): Promise<string[]> {
    const id = ++this.#count;
    const { method = "INVITE", headers = [], toTag, callId = `call-${id}`, fromTag = `a${id}` } = options;
    this.got.length = 0;
    const text = [
      `${method} ${to} SIP/2.0`,
      `Via: SIP/2.0/UDP ${from.address}:5060;branch=z9hG4bK${id}`,
      "Max-Forwards: 70",
      `From: <${from.uri}>;tag=${fromTag}`,
      `To: <${to}>${toTag === undefined ? "" : `;tag=${toTag}`}`,
      `Call-ID: ${callId}`,
      `CSeq: 1 ${method}`,
      `Contact: <sip:x@${from.address}:5060>`,
      ...headers,
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n");
    this.network.sendDatagram({ address: from.address, port: 5060 }, server, encoder.encode(text));
    for (let i = 0; i < 10; i++) {
      this.clock.advance(1);
      await Promise.resolve();
    }
    const outcome = this.got.flatMap(({ at, message }) => {
      if (message.kind === "request") return [`${message.method} at ${at}`];
      return message.statusCode > 100 ? [String(message.statusCode)] : [];
    });
    return [...new Set(outcome)];
  }

  /** What a phone adds after a 407. */
  credentials(user: string, password: string, uri: string, method = "INVITE"): string {
    const challenge = this.got.find(({ message }) => message.kind === "response")?.message;
    const nonce = /nonce="([^"]+)"/.exec(challenge?.headers.raw("Proxy-Authenticate") ?? "")?.[1] ?? "";
    const realm = "example.com";
    const response = digestResponse(nodeHash, {
      algorithm: "MD5",
      ha1: computeHa1(nodeHash, "MD5", { user, realm, password }),
      method,
      uri,
      nonce,
      qop: "auth",
      nonceCount: "00000001",
      cnonce: "c",
      body: new Uint8Array(),
    });
    return `Proxy-Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`;
  }

  close(): void {
    this.proxy.close();
    this.locations.close();
    this.#driver.stop();
  }
}

const alice = { address: "10.0.0.9", uri: "sip:alice@example.com" };
const stranger = { address: "203.0.113.5", uri: "sip:mallory@elsewhere.test" };
const peer = { address: "192.0.2.7", uri: "sip:+886212345678@carrier.test" };
const peerAsAlice = { address: "192.0.2.7", uri: "sip:alice@example.com" };
const bob = "sip:bob@example.com";
const away = "sip:dave@198.51.100.7";
const rings = "INVITE at 10.0.0.2";
const leaves = "INVITE at 198.51.100.7";

const table: readonly (readonly [
  title: string,
  rules: Partial<RelayRules> & { password?: boolean },
  from: { address: string; uri: string },
  to: string,
  outcome: string,
])[] = [
  ["our user to our user: 407", {}, alice, bob, "407"],
  ["our user to anyone: 407", {}, alice, away, "407"],
  ["our user to our user, no passwords here: rings", { password: false }, alice, bob, rings],
  ["our user to anyone, no passwords here: leaves", { password: false }, alice, away, leaves],
  ["foreign to our user, inbound allow: rings", { inbound: "allow" }, stranger, bob, rings],
  ["foreign to our user, inbound peers: 403", { inbound: "peers" }, stranger, bob, "403"],
  ["foreign to our user, inbound deny: 403", { inbound: "deny" }, stranger, bob, "403"],
  ["foreign to foreign: 403", { inbound: "allow" }, stranger, away, "403"],
  ["foreign to foreign without passwords: 403 all the same", { password: false }, stranger, away, "403"],
  [
    "a peer to our user, inbound peers: rings",
    { inbound: "peers", peers: ["192.0.2.0/24"] },
    peer,
    bob,
    rings,
  ],
  ["a peer to anyone: leaves", { inbound: "peers", peers: ["192.0.2.7"] }, peer, away, leaves],
  ["a peer in our user's name: rings without password", { peers: ["192.0.2.7"] }, peerAsAlice, bob, rings],
  [
    "an address beside the peer's network: 403",
    { inbound: "peers", peers: ["192.0.2.8/29"] },
    peer,
    bob,
    "403",
  ],
  ["no such user: 404, once admitted", { inbound: "allow" }, stranger, "sip:nobody@example.com", "404"],
  ["a user without device: 480", { inbound: "allow" }, stranger, "sip:carol@example.com", "480"],
];

for (const [title, rules, from, to, outcome] of table) {
  test(`relay, ${title}`, async () => {
    const town = new Town(rules);
    town.register("bob", "sip:bob@10.0.0.2:5060");
    assert.deepEqual(await town.try(from, to), [outcome]);
    town.close();
  });
}

test("RFC 5393 §3, contacts that name this server itself do not make it call itself", async () => {
  const town = new Town({ password: false });
  for (let i = 0; i < 8; i++) {
    town.register("bob", `sip:bob@10.0.0.1;x=${i}`, { flowId: "0-0-1-10.0.0.2_5060" });
  }
  assert.deepEqual(await town.try(alice, bob), [rings]);
  assert.equal(town.got.filter(({ at }) => at === "10.0.0.2").length, 8);
  assert.ok(town.stack.transactionCount < 10);
  town.close();
});

test("relay, a route recorded for a call lets nobody start another one without password", async () => {
  const town = new Town({ inbound: "allow" });
  town.register("bob", "sip:bob@10.0.0.2:5060");
  assert.deepEqual(await town.try(stranger, bob), [rings]);
  const { message } = town.got.find(({ at }) => at === "10.0.0.2")!;
  const [route = ""] = message.headers.rawAll("Record-Route");
  const same = { headers: [`Route: ${route}`], callId: message.callId, fromTag: message.fromTag };
  assert.deepEqual(await town.try(stranger, away, same), ["403"]);
  assert.deepEqual(await town.try({ ...stranger, uri: alice.uri }, bob, same), ["407"]);
  // Within the call the route opens the way to wherever the callee is.
  assert.deepEqual(await town.try(stranger, away, { ...same, method: "BYE", toTag: "b" }), [
    "BYE at 198.51.100.7",
  ]);
  town.close();
});

const names: readonly (readonly [
  title: string,
  user: string,
  password: string,
  from: string,
  outcome: string,
])[] = [
  ["the right password: rings", "alice", "alice's", "sip:alice@example.com", rings],
  ["named with the domain: rings", "alice@example.com", "alice's", "sip:alice@example.com", rings],
  ["the wrong password: 407", "alice", "guess", "sip:alice@example.com", "407"],
  ["bob's password in alice's name: 403", "bob", "bob's", "sip:alice@example.com", "403"],
  ["another name of hers: rings", "alice", "alice's", "sip:100@example.com", rings],
  ["another name of somebody else's: 403", "bob", "bob's", "sip:100@example.com", "403"],
  ["a name that nobody has: 403", "alice", "alice's", "sip:ghost@example.com", "403"],
  ["another host of ours: rings", "alice", "alice's", "sip:alice@10.0.0.1", rings],
];
for (const [title, user, password, uri, outcome] of names) {
  test(`relay, after the 407, ${title}`, async () => {
    const town = new Town();
    town.register("bob", "sip:bob@10.0.0.2:5060");
    const from = { address: "10.0.0.9", uri };
    assert.deepEqual(await town.try(from, bob), ["407"]);
    const headers = [town.credentials(user, password, bob)];
    assert.deepEqual(await town.try(from, bob, { headers }), [outcome]);
    town.close();
  });
}

test("§22.1, an ACK is not challenged: passes to our users, not through us", async () => {
  const town = new Town();
  town.register("bob", "sip:bob@10.0.0.2:5060");
  assert.deepEqual(await town.try(alice, bob, { method: "ACK", toTag: "b" }), ["ACK at 10.0.0.2"]);
  assert.deepEqual(await town.try(alice, away, { method: "ACK", toTag: "b" }), []);
  assert.deepEqual(await town.try(stranger, away, { method: "ACK", toTag: "b" }), []);
  town.close();
});

// --- The directory -------------------------------------------------------------------------------------------

const two = ["INVITE at 10.0.0.2", "INVITE at 10.0.0.3"];
const aliases = {
  sales: ["bob", "carol"],
  "hotline@example.com": "sip:sales@example.com",
  round: "about",
  about: "round",
  cell: "sip:dave@198.51.100.7",
  mixed: ["bob", "sip:dave@198.51.100.7", "bob@example.com"],
  bob: "carol",
};
const directory: readonly (readonly [title: string, uri: string, outcome: string[]])[] = [
  ["a user: that user's device", "sip:bob@example.com", [rings]],
  ["a host of ours means our domain", "sip:bob@10.0.0.1", [rings]],
  ["an escape in the user part", "sip:%62ob@example.com", [rings]],
  ["user names heed case", "sip:Bob@example.com", ["404"]],
  ["nobody", "sip:nobody@example.com", ["404"]],
  ["no user part", "sip:example.com", ["404"]],
  ["a stored alias of a user without device", "sip:100@example.com", ["480"]],
  ["an alias for two users: both ring", "sip:sales@example.com", two],
  ["an alias of an alias", "sip:hotline@example.com", two],
  ["aliases in a circle lead nowhere", "sip:round@example.com", ["404"]],
  ["an alias for an address elsewhere", "sip:cell@example.com", [leaves]],
  ["an alias for both, a name twice", "sip:mixed@example.com", [rings, leaves]],
  ["a user before an alias of that name", "sip:bob@example.com", [rings]],
  ["a tel URI by its digits", "tel:1-0-0", ["480"]],
  ["RFC 5630 §5.3, SIPS to a device without", "sips:bob@example.com", ["480"]],
];
for (const isAsync of [false, true]) {
  for (const [title, uri, outcome] of directory) {
    test(`directory, ${isAsync ? "slow" : "quick"} store, ${title}`, async () => {
      const quick = new Town({ password: false }, { aliases });
      const lookup = (aor: string) => Promise.resolve(quick.locations.lookup(aor));
      const town = isAsync ? new Town({ password: false }, { aliases, locations: { lookup } }) : quick;
      quick.register("bob", "sip:bob@10.0.0.2:5060");
      quick.register("carol", "sip:carol@10.0.0.3:5060");
      assert.deepEqual((await town.try(stranger, uri)).sort(), [...outcome].sort());
      town.close();
      quick.close();
    });
  }
}

test("directory, a binding whose connection has gone is skipped; with no other: 480", async () => {
  const town = new Town({ password: false });
  town.register("bob", "sip:bob@10.0.0.2;transport=tcp", { flowId: "gone", transport: "TCP" });
  assert.deepEqual(await town.try(stranger, bob), ["480"]);
  town.register("bob", "sip:bob@10.0.0.3:5060");
  assert.deepEqual(await town.try(stranger, bob), ["INVITE at 10.0.0.3"]);
  town.close();
});

test("directory, without accounts every name is a user; aliases still count", async () => {
  const town = new Town({ password: false }, { accounts: undefined, aliases: { bobby: "bob" } });
  town.register("bob", "sip:bob@10.0.0.2:5060");
  assert.deepEqual(await town.try(stranger, "sip:anyone@example.com"), ["480"]);
  assert.deepEqual(await town.try(stranger, "sip:bobby@example.com"), [rings]);
  town.close();
});

test("directory, without accounts: a name with # is the same user, escaped or not", async () => {
  const town = new Town({ password: false }, { accounts: undefined });
  town.register("door%237", "sip:door@10.0.0.2:5060");
  assert.deepEqual(await town.try(stranger, "sip:door%237@example.com"), [rings]);
  assert.deepEqual(await town.try(stranger, "sip:door#7@example.com"), [rings]);
  town.close();
});

test("§10.3 step 5, addressOfRecord: one key per user, whatever host and name", () => {
  const book = new AccountDirectory({
    domains,
    accounts,
    locations: { lookup: () => [] },
    flowById: () => undefined,
  });
  const uri = (user: string | undefined, host: string) => ({
    scheme: "sip" as const,
    ...(user === undefined ? {} : { user }),
    host,
    params: new Map<string, string>(),
    headers: new Map<string, string>(),
  });
  assert.equal(book.addressOfRecord(uri("alice", "10.0.0.1")), "sip:alice@example.com");
  assert.equal(book.addressOfRecord(uri("100", "example.com")), "sip:alice@example.com");
  assert.equal(book.addressOfRecord(uri("nobody", "example.com")), undefined);
  assert.equal(book.addressOfRecord(uri(undefined, "example.com")), undefined);
});

const peerRows: readonly (readonly [peers: string[], address: string, expected: boolean])[] = [
  [["192.0.2.1"], "192.0.2.1", true],
  [["192.0.2.1"], "192.0.2.2", false],
  [["192.0.2.0/24"], "192.0.2.255", true],
  [["192.0.2.0/24"], "192.0.3.0", false],
  [["0.0.0.0/0"], "203.0.113.1", true],
  [["192.0.2.1"], "::ffff:192.0.2.1", true],
  [["2001:db8::/32"], "2001:db8:1::5", true],
  [["2001:db8::/32"], "2001:db9::5", false],
  [["10.0.0.1", "2001:db8::1"], "2001:db8:0::1", true],
  [["192.0.2.1"], "phone.example.com", false],
];
for (const [peers, address, expected] of peerRows) {
  test(`peers, ${peers.join(" ")}: ${address} ${expected ? "is" : "is not"} one`, () => {
    assert.equal(new PeerList(peers).has(address), expected);
  });
}
const identityRows: readonly (readonly [
  peer: string,
  identities: string[] | undefined,
  expected: boolean,
])[] = [
  ["carrier.example", ["carrier.example"], true],
  ["Carrier.Example", ["other.example", "carrier.example"], true],
  ["carrier.example", ["sbc.carrier.example"], false],
  ["carrier.example", ["*.example"], false],
  ["carrier.example", [], false],
  ["carrier.example", undefined, false],
  ["192.0.2.1", ["192.0.2.1"], false],
];
for (const [peer, identities, expected] of identityRows) {
  test(`RFC 5922 §7.4: peers, ${peer}: a certificate for ${identities} ${expected ? "is" : "is not"} one`, () => {
    assert.equal(new PeerList([peer]).hasIdentity(identities), expected);
  });
}
for (const wrong of ["192.0.2.1/33", "192.0.2", "192.0.2.0/24/8", "2001:db8::/129", "10.0.0.0/x", ""]) {
  test(`peers, "${wrong}" is refused by name`, () => {
    assert.throws(() => new PeerList([wrong]), {
      name: "TypeError",
      message: /neither an IP address nor a network/,
    });
  });
}
