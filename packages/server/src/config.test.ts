// The configuration's mistakes, each with the line that tells of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ConfigError, demoConfig, parseConfig } from "./config.ts";

const mistakes: [title: string, yaml: string, message: string | RegExp][] = [
  [
    "unknown key",
    "domains: []\nlistner: []\n",
    /^c\.yaml:2: listner: is not known here; allowed: domains, listeners, /,
  ],
  [
    "unknown key of a listener",
    "listeners:\n  - transport: udp\n    prot: 5060\n",
    "c.yaml:3: listeners[0].prot: is not known here; allowed: transport, host, port, advertise, tls, bufferSize, batch, gather",
  ],
  [
    "unknown transport",
    "listeners:\n  - host: 127.0.0.1\n    transport: udq\n",
    'c.yaml:3: listeners[0].transport: "udq" is not allowed; allowed: udp, tcp, tls, ws, wss',
  ],
  [
    "number too big",
    "listeners:\n  - { transport: udp, port: 70000 }\n",
    "c.yaml:2: listeners[0].port: 70000 is too big; at most 65535",
  ],
  [
    "bindings in memory only, and durable",
    "store: { keepBindings: false, durable: true }\n",
    "c.yaml:1: store.durable: needs store.kind: sqlite, with keepBindings",
  ],
  [
    "wrong type",
    "store:\n  durable: perhaps\n",
    'c.yaml:2: store.durable: "perhaps" is not allowed; it must be true or false',
  ],
  [
    "missing transport",
    "listeners:\n  - port: 5060\n",
    /^c\.yaml:2: listeners\[0\]\.transport: nothing is not allowed; allowed: udp, tcp, tls, ws, wss$/,
  ],
  ["no listener", "listeners: []\n", "c.yaml:1: listeners: a list is too small; at least 1"],
  [
    "accounts",
    "accounts: some\n",
    /^c\.yaml:1: accounts: "some" is not allowed; it must be database, any or a mapping$/,
  ],
  [
    "inside http",
    "http:\n  port: many\n",
    /^c\.yaml:2: http\.port: "many" is not allowed; it must be a (whole )?number$/,
  ],
  ["broken YAML", "listeners:\n  - { transport: udp\n", /^c\.yaml:\d: /],
  [
    "public without password, said once",
    "listeners:\n  - { transport: udp, host: 0.0.0.0 }\nauth:\n  enabled: false\n",
    /^c\.yaml:4: auth\.enabled: false would let anybody who reaches 0\.0\.0\.0 use this server; .*withoutPasswordInPublic: true/,
  ],
  ["any user with digest", "accounts: any\n", /^c\.yaml:1: accounts: any needs auth\.enabled: false/],
];

for (const [title, yaml, message] of mistakes) {
  test(`config, ${title}: one line with file, line and key`, () => {
    assert.throws(
      () => parseConfig(yaml, "c.yaml"),
      (error) => {
        assert.ok(error instanceof ConfigError);
        if (typeof message === "string") assert.equal(error.message, message);
        else assert.match(error.message, message);
        assert.ok(!error.message.includes("\n"));
        return true;
      },
    );
  });
}

test("config, empty file: the defaults, the same as the demo's", () => {
  const demo = demoConfig();
  const withoutTls = demo.listeners.filter(({ transport }) => transport !== "tls");
  assert.deepEqual(parseConfig("", "c.yaml"), { ...demo, listeners: withoutTls });
  assert.deepEqual(
    demo.listeners.map(({ port }) => port),
    [5060, 5060, 5061],
  );
  assert.deepEqual(demoConfig().auth.algorithms, ["MD5"]);
});

test("config, public without password, said twice: allowed", () => {
  const yaml =
    "listeners: [{ transport: udp, host: 0.0.0.0 }]\nauth: { enabled: false, withoutPasswordInPublic: true }\n";
  assert.equal(parseConfig(yaml, "c.yaml").auth.enabled, false);
});

test("config, advertise: a name, or name and port", () => {
  const yaml =
    "listeners:\n  - { transport: udp, advertise: sip.example.com }\n  - { transport: tcp, advertise: { host: 192.0.2.1, port: 15060 } }\n";
  assert.deepEqual(
    parseConfig(yaml, "c.yaml").listeners.map((listener) => listener.advertise),
    [{ host: "sip.example.com" }, { host: "192.0.2.1", port: 15060 }],
  );
});

test("config, several mistakes: a line each", () => {
  assert.throws(() => parseConfig("foo: 1\nbar: 2\n", "c.yaml"), /c\.yaml:1: foo.*\nc\.yaml:2: bar/);
});
