import assert from "node:assert/strict";
import { test } from "node:test";
import {
  InviteServer,
  type InviteServerEvent,
  type InviteServerState,
  inviteServerTable,
} from "./invite-server.ts";
import { assertCovered, flow, key, NoteTaker, request, response } from "./sink.test.kit.ts";
import { Timer } from "./timers.ts";

const invite = request("INVITE");
const ack = request("ACK", { toTag: "b" });

function machineIn(
  state: InviteServerState,
  transport: "UDP" | "TCP" = "UDP",
): { machine: InviteServer; notes: NoteTaker } {
  const notes = new NoteTaker();
  const machine = new InviteServer(key, invite, flow(transport), notes);
  machine.user = notes.serverUser;
  if (state !== "initial") machine.start(notes.time);
  if (state === "completed" || state === "confirmed" || state === "terminated")
    happen(machine, "300-699 from user", notes);
  if (state === "confirmed") happen(machine, "ACK", notes);
  if (state === "accepted") happen(machine, "2xx from user", notes);
  if (state === "terminated") happen(machine, "timer H", notes);
  assert.equal(machine.state, state);
  notes.take();
  return { machine, notes };
}

function happen(machine: InviteServer, event: InviteServerEvent, notes: NoteTaker): void {
  const now = notes.time;
  if (event === "INVITE") {
    if (machine.state === "initial") machine.start(now);
    else machine.receiveAgain(now);
  } else if (event === "ACK") machine.receiveAck(ack, machine.flow, now);
  else if (event === "1xx from user") machine.respond(response(invite, 180));
  else if (event === "2xx from user") machine.respond(response(invite, 200));
  else if (event === "300-699 from user") machine.respond(response(invite, 486));
  else if (event === "challenge from user") machine.respond(response(invite, 407));
  else if (event === "transport error") machine.transportError(new Error("no route"), now);
  else machine.fire(new Timer(machine, event), now);
}

type Row = [
  section: string,
  state: InviteServerState,
  event: InviteServerEvent,
  next: InviteServerState,
  notes: string,
];

const rows: Row[] = [
  ["§17.2.1", "initial", "INVITE", "proceeding", "100=200 up INVITE"],
  ["§17.2.1", "initial", "ACK", "initial", ""],
  ["§17.2.1", "initial", "1xx from user", "initial", ""],
  ["§17.2.1", "initial", "2xx from user", "initial", ""],
  ["§17.2.1", "initial", "300-699 from user", "initial", ""],
  ["§17.2.1", "initial", "challenge from user", "initial", ""],
  ["§17.2.1", "initial", "timer 100", "initial", ""],
  ["§17.2.1", "initial", "timer G", "initial", ""],
  ["§17.2.1", "initial", "timer H", "initial", ""],
  ["§17.2.1", "initial", "timer I", "initial", ""],
  ["§17.2.1", "initial", "timer L", "initial", ""],
  ["§17.2.1", "initial", "transport error", "initial", ""],

  ["§17.2.1", "proceeding", "INVITE", "proceeding", ""],
  ["§17.2.1", "proceeding", "ACK", "proceeding", ""],
  ["§17.2.1", "proceeding", "1xx from user", "proceeding", "180"],
  ["RFC 6026 §8.5", "proceeding", "2xx from user", "accepted", "200 L=32000"],
  ["§17.2.1", "proceeding", "300-699 from user", "completed", "486 G=500 H=32000"],
  ["§26.3.2.4", "proceeding", "challenge from user", "completed", "407 H=32000"],
  ["§17.2.1", "proceeding", "timer 100", "proceeding", "100"],
  ["§17.2.1", "proceeding", "timer G", "proceeding", ""],
  ["§17.2.1", "proceeding", "timer H", "proceeding", ""],
  ["§17.2.1", "proceeding", "timer I", "proceeding", ""],
  ["§17.2.1", "proceeding", "timer L", "proceeding", ""],
  ["RFC 6026 §7.1", "proceeding", "transport error", "proceeding", "transport error"],

  ["§17.2.1", "completed", "INVITE", "completed", "486"],
  ["§17.2.1", "completed", "ACK", "confirmed", "ACK reported I=5000"],
  ["§17.2.1", "completed", "1xx from user", "completed", ""],
  ["§17.2.1", "completed", "2xx from user", "completed", ""],
  ["§17.2.1", "completed", "300-699 from user", "completed", ""],
  ["§17.2.1", "completed", "challenge from user", "completed", ""],
  ["§17.2.1", "completed", "timer 100", "completed", ""],
  ["§17.2.1", "completed", "timer G", "completed", "486 G=1000"],
  ["§17.2.1", "completed", "timer H", "terminated", "timeout end"],
  ["§17.2.1", "completed", "timer I", "completed", ""],
  ["§17.2.1", "completed", "timer L", "completed", ""],
  ["RFC 6026 §7.1", "completed", "transport error", "completed", "transport error"],

  ["§17.2.1", "confirmed", "INVITE", "confirmed", ""],
  ["§17.2.1", "confirmed", "ACK", "confirmed", ""],
  ["§17.2.1", "confirmed", "1xx from user", "confirmed", ""],
  ["§17.2.1", "confirmed", "2xx from user", "confirmed", ""],
  ["§17.2.1", "confirmed", "300-699 from user", "confirmed", ""],
  ["§17.2.1", "confirmed", "challenge from user", "confirmed", ""],
  ["§17.2.1", "confirmed", "timer 100", "confirmed", ""],
  ["§17.2.1", "confirmed", "timer G", "confirmed", ""],
  ["§17.2.1", "confirmed", "timer H", "confirmed", ""],
  ["§17.2.1", "confirmed", "timer I", "terminated", "end"],
  ["§17.2.1", "confirmed", "timer L", "confirmed", ""],
  ["§17.2.1", "confirmed", "transport error", "confirmed", ""],

  ["RFC 6026 §8.7", "accepted", "INVITE", "accepted", ""],
  ["RFC 6026 §7.1", "accepted", "ACK", "accepted", "up ACK"],
  ["RFC 6026 §8.7", "accepted", "1xx from user", "accepted", ""],
  ["RFC 6026 §7.1", "accepted", "2xx from user", "accepted", "200"],
  ["RFC 6026 §8.7", "accepted", "300-699 from user", "accepted", ""],
  ["RFC 6026 §8.7", "accepted", "challenge from user", "accepted", ""],
  ["RFC 6026 §8.7", "accepted", "timer 100", "accepted", ""],
  ["RFC 6026 §8.7", "accepted", "timer G", "accepted", ""],
  ["RFC 6026 §8.7", "accepted", "timer H", "accepted", ""],
  ["RFC 6026 §8.7", "accepted", "timer I", "accepted", ""],
  ["RFC 6026 §8.7", "accepted", "timer L", "terminated", "end"],
  ["RFC 6026 §7.1", "accepted", "transport error", "accepted", "transport error"],

  ["§17.2.1", "terminated", "INVITE", "terminated", ""],
  ["§17.2.1", "terminated", "ACK", "terminated", ""],
  ["§17.2.1", "terminated", "1xx from user", "terminated", ""],
  ["§17.2.1", "terminated", "2xx from user", "terminated", ""],
  ["§17.2.1", "terminated", "300-699 from user", "terminated", ""],
  ["§17.2.1", "terminated", "challenge from user", "terminated", ""],
  ["§17.2.1", "terminated", "timer 100", "terminated", ""],
  ["§17.2.1", "terminated", "timer G", "terminated", ""],
  ["§17.2.1", "terminated", "timer H", "terminated", ""],
  ["§17.2.1", "terminated", "timer I", "terminated", ""],
  ["§17.2.1", "terminated", "timer L", "terminated", ""],
  ["§17.2.1", "terminated", "transport error", "terminated", ""],
];

for (const [section, state, event, next, expected] of rows) {
  test(`INVITE server, ${section}: ${event} in ${state} → ${next}${expected && `, ${expected}`}`, () => {
    const { machine, notes } = machineIn(state);
    happen(machine, event, notes);
    assert.equal(machine.state, next);
    assert.equal(notes.take(), expected);
  });
}

test("INVITE server: every cell has a row", () => {
  const events = [
    "INVITE",
    "ACK",
    "1xx from user",
    "2xx from user",
    "300-699 from user",
    "challenge from user",
    "timer 100",
    "timer G",
    "timer H",
    "timer I",
    "timer L",
    "transport error",
  ];
  assertCovered(Object.keys(inviteServerTable), events, rows);
});

test("§17.2.1: 100 after 200 ms, unless its user has sent a provisional response by then", () => {
  const silent = machineIn("proceeding");
  silent.notes.advance(199);
  assert.equal(silent.notes.take(), "");
  silent.notes.advance(1);
  assert.equal(silent.notes.take(), "100");

  const quick = machineIn("proceeding");
  happen(quick.machine, "1xx from user", quick.notes);
  quick.notes.advance(60_000);
  assert.equal(quick.notes.take(), "180");
});

test("§17.2.1: an INVITE that comes again gets the last provisional response again", () => {
  const { machine, notes } = machineIn("proceeding");
  machine.respond(response(invite, 180));
  machine.respond(response(invite, 183));
  happen(machine, "INVITE", notes);
  assert.equal(notes.take(), "180 183 183");
});

test("§17.2.1: without ACK the final response is resent at T1, doubling to T2, until timer H", () => {
  const { machine, notes } = machineIn("proceeding");
  const begin = notes.time;
  const sent: number[] = [];
  notes.send = () => sent.push(notes.time - begin);
  happen(machine, "300-699 from user", notes);
  notes.advance(32_000);
  assert.deepEqual(sent, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
  assert.equal(machine.state, "terminated");
});

test("§26.3.2.4: a challenge is sent once for each INVITE, so that nobody is flooded in another's name", () => {
  for (const status of [401, 407]) {
    const { machine, notes } = machineIn("proceeding");
    machine.respond(response(invite, status));
    notes.advance(10_000);
    assert.equal(notes.take(), `${status} H=32000`);
    happen(machine, "INVITE", notes);
    happen(machine, "ACK", notes);
    assert.equal(notes.take(), `${status} ACK reported I=5000`);
  }
});

test("§17.2.1: but after a provisional response, which has stopped timer A of the caller, it is resent", () => {
  const { machine, notes } = machineIn("proceeding");
  happen(machine, "1xx from user", notes);
  happen(machine, "challenge from user", notes);
  assert.equal(notes.take(), "180 407 G=500 H=32000");
});

test("§17.2.1: over TCP no timer G, and the ACK ends it at once", () => {
  const { machine, notes } = machineIn("proceeding", "TCP");
  happen(machine, "300-699 from user", notes);
  happen(machine, "ACK", notes);
  assert.equal(notes.take(), "486 H=32000 ACK reported end");
});

test("an answer given while the request is passed up starts no 100", () => {
  const notes = new NoteTaker();
  const machine = new InviteServer(key, invite, flow(), notes);
  notes.onDeliver = () => machine.respond(response(invite, 486));
  machine.start(notes.time);
  notes.advance(400);
  assert.equal(notes.take(), "100=200 up INVITE 486 G=500 H=32000");
});

test("§9.2: a CANCEL is for the owner to answer", () => {
  const { machine, notes } = machineIn("proceeding");
  let canceled = 0;
  machine.user = { onCancel: () => canceled++ };
  machine.cancel(request("CANCEL"));
  machine.cancel(request("CANCEL"));
  assert.equal(canceled, 1);
  assert.equal(machine.isCanceled, true);
  assert.equal(notes.take(), "");
});

test("§9.2: without an owner yet, a CANCEL brings 487 from here", () => {
  const { machine, notes } = machineIn("proceeding");
  machine.user = {};
  machine.cancel(request("CANCEL"));
  assert.equal(notes.take(), "487 G=500 H=32000");
  assert.equal(machine.respond(response(invite, 200)), false);
});

test("a completed transaction keeps its response only, an accepted one nothing", () => {
  const completed = machineIn("completed").machine;
  assert.equal(completed.request, undefined);
  assert.notEqual(completed.lastResponse, undefined);
  const accepted = machineIn("accepted").machine;
  assert.equal(accepted.request, undefined);
  assert.equal(accepted.lastResponse, undefined);
});
