import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NonInviteServer,
  type NonInviteServerEvent,
  type NonInviteServerState,
  nonInviteServerTable,
} from "./non-invite-server.ts";
import { assertCovered, flow, key, NoteTaker, request, response } from "./sink.test.kit.ts";
import { Timer } from "./timers.ts";

const options = request("OPTIONS");

function machineIn(
  state: NonInviteServerState,
  transport: "UDP" | "TCP" = "UDP",
): { machine: NonInviteServer; notes: NoteTaker } {
  const notes = new NoteTaker();
  const machine = new NonInviteServer(key, options, flow(transport), notes);
  machine.user = notes.serverUser;
  if (state !== "initial") machine.start(notes.time);
  if (state === "proceeding") happen(machine, "timer 100", notes);
  if (state === "completed" || state === "terminated") happen(machine, "200-699 from user", notes);
  if (state === "terminated") happen(machine, "timer J", notes);
  assert.equal(machine.state, state);
  notes.take();
  return { machine, notes };
}

function happen(machine: NonInviteServer, event: NonInviteServerEvent, notes: NoteTaker): void {
  const now = notes.time;
  if (event === "request") {
    if (machine.state === "initial") machine.start(now);
    else machine.receiveAgain(now);
  } else if (event === "1xx from user") machine.respond(response(options, 183));
  else if (event === "200-699 from user") machine.respond(response(options, 200));
  else if (event === "408 from user") machine.respond(response(options, 408));
  else if (event === "transport error") machine.transportError(new Error("no route"), now);
  else machine.fire(new Timer(machine, event), now);
}

type Row = [
  section: string,
  state: NonInviteServerState,
  event: NonInviteServerEvent,
  next: NonInviteServerState,
  notes: string,
];

const rows: Row[] = [
  ["§17.2.2", "initial", "request", "trying", "up OPTIONS 100=3500"],
  ["§17.2.2", "initial", "1xx from user", "initial", ""],
  ["§17.2.2", "initial", "200-699 from user", "initial", ""],
  ["§17.2.2", "initial", "408 from user", "initial", ""],
  ["§17.2.2", "initial", "timer 100", "initial", ""],
  ["§17.2.2", "initial", "timer too late", "initial", ""],
  ["§17.2.2", "initial", "timer J", "initial", ""],
  ["§17.2.2", "initial", "transport error", "initial", ""],

  ["§17.2.2", "trying", "request", "trying", ""],
  ["RFC 4320 §4.1", "trying", "1xx from user", "trying", ""],
  ["§17.2.2", "trying", "200-699 from user", "completed", "200 J=32000"],
  ["RFC 4320 §4.2", "trying", "408 from user", "trying", ""],
  ["RFC 4320 §4.1", "trying", "timer 100", "proceeding", "too late=28500 100"],
  ["RFC 4320 §4.2", "trying", "timer too late", "trying", ""],
  ["§17.2.2", "trying", "timer J", "trying", ""],
  ["§17.2.2", "trying", "transport error", "trying", ""],

  ["§17.2.2", "proceeding", "request", "proceeding", "100"],
  ["RFC 4320 §4.1", "proceeding", "1xx from user", "proceeding", ""],
  ["§17.2.2", "proceeding", "200-699 from user", "completed", "200 J=32000"],
  ["RFC 4320 §4.2", "proceeding", "408 from user", "proceeding", ""],
  ["RFC 4320 §4.1", "proceeding", "timer 100", "proceeding", ""],
  ["RFC 4320 §4.2", "proceeding", "timer too late", "terminated", "timeout end"],
  ["§17.2.2", "proceeding", "timer J", "proceeding", ""],
  ["§17.2.4", "proceeding", "transport error", "terminated", "transport error end"],

  ["§17.2.2", "completed", "request", "completed", "200"],
  ["§17.2.2", "completed", "1xx from user", "completed", ""],
  ["§17.2.2", "completed", "200-699 from user", "completed", ""],
  ["§17.2.2", "completed", "408 from user", "completed", ""],
  ["§17.2.2", "completed", "timer 100", "completed", ""],
  ["§17.2.2", "completed", "timer too late", "completed", ""],
  ["§17.2.2", "completed", "timer J", "terminated", "end"],
  // Its owner has been let go; there is nobody to tell.
  ["§17.2.4", "completed", "transport error", "terminated", "end"],

  ["§17.2.2", "terminated", "request", "terminated", ""],
  ["§17.2.2", "terminated", "1xx from user", "terminated", ""],
  ["§17.2.2", "terminated", "200-699 from user", "terminated", ""],
  ["§17.2.2", "terminated", "408 from user", "terminated", ""],
  ["§17.2.2", "terminated", "timer 100", "terminated", ""],
  ["§17.2.2", "terminated", "timer too late", "terminated", ""],
  ["§17.2.2", "terminated", "timer J", "terminated", ""],
  ["§17.2.2", "terminated", "transport error", "terminated", ""],
];

for (const [section, state, event, next, expected] of rows) {
  test(`other server, ${section}: ${event} in ${state} → ${next}${expected && `, ${expected}`}`, () => {
    const { machine, notes } = machineIn(state);
    happen(machine, event, notes);
    assert.equal(machine.state, next);
    assert.equal(notes.take(), expected);
  });
}

test("other server: every cell has a row", () => {
  const events = [
    "request",
    "1xx from user",
    "200-699 from user",
    "408 from user",
    "timer 100",
    "timer too late",
    "timer J",
    "transport error",
  ];
  assertCovered(Object.keys(nonInviteServerTable), events, rows);
});

test("RFC 4320 §4.1: 100 at 3.5 s, when the client's timer E reaches T2; silence from 32 s on", () => {
  const { machine, notes } = machineIn("trying");
  notes.advance(3499);
  assert.equal(notes.take(), "");
  notes.advance(1);
  assert.equal(notes.take(), "too late=28500 100");
  notes.advance(28_500);
  assert.equal(notes.take(), "timeout end");
  assert.equal(machine.respond(response(options, 200)), false);
});

test("§17.2.2: over TCP the final response ends it at once", () => {
  const { machine, notes } = machineIn("trying", "TCP");
  happen(machine, "200-699 from user", notes);
  assert.equal(notes.take(), "200 end");
});

test("§17.2.2: a completed transaction keeps its last response only", () => {
  const { machine } = machineIn("completed");
  assert.equal(machine.request, undefined);
  assert.notEqual(machine.lastResponse, undefined);
});
