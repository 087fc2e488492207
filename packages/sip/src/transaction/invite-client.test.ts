import assert from "node:assert/strict";
import { test } from "node:test";
import {
  InviteClient,
  type InviteClientEvent,
  type InviteClientState,
  inviteClientTable,
} from "./invite-client.ts";
import { assertCovered, flow, key, NoteTaker, request, response } from "./sink.test.kit.ts";
import { Timer } from "./timers.ts";

const invite = request("INVITE");

function machineIn(
  state: InviteClientState,
  transport: "UDP" | "TCP" = "UDP",
): { machine: InviteClient; notes: NoteTaker } {
  const notes = new NoteTaker();
  const machine = new InviteClient(key, flow(transport), invite.bytes, notes, notes);
  if (state !== "initial") machine.start(notes.time);
  if (state === "proceeding") happen(machine, "1xx", notes);
  if (state === "completed") happen(machine, "300-699", notes);
  if (state === "accepted") happen(machine, "2xx", notes);
  if (state === "terminated") happen(machine, "timer B", notes);
  assert.equal(machine.state, state);
  notes.take();
  return { machine, notes };
}

function happen(machine: InviteClient, event: InviteClientEvent, notes: NoteTaker): void {
  const now = notes.time;
  if (event === "INVITE from user") machine.start(now);
  else if (event === "CANCEL from user") machine.canceled(now);
  else if (event === "1xx") machine.receiveResponse(response(invite, 180), machine.flow, now);
  else if (event === "2xx") machine.receiveResponse(response(invite, 200), machine.flow, now);
  else if (event === "300-699") machine.receiveResponse(response(invite, 486), machine.flow, now);
  else if (event === "transport error") machine.transportError(new Error("no route"), now);
  else machine.fire(new Timer(machine, event), now);
}

type Row = [
  section: string,
  state: InviteClientState,
  event: InviteClientEvent,
  next: InviteClientState,
  notes: string,
];

const rows: Row[] = [
  ["§17.1.1.2", "initial", "INVITE from user", "calling", "B=32000 A=500 INVITE"],
  ["§17.1.1.2", "initial", "1xx", "initial", ""],
  ["§17.1.1.2", "initial", "2xx", "initial", ""],
  ["§17.1.1.2", "initial", "300-699", "initial", ""],
  ["§17.1.1.2", "initial", "CANCEL from user", "initial", ""],
  ["§17.1.1.2", "initial", "timer A", "initial", ""],
  ["§17.1.1.2", "initial", "timer B", "initial", ""],
  ["§17.1.1.2", "initial", "timer D", "initial", ""],
  ["§17.1.1.2", "initial", "timer M", "initial", ""],
  ["§17.1.1.2", "initial", "timer CANCEL", "initial", ""],
  ["§17.1.1.2", "initial", "transport error", "initial", ""],

  ["§17.1.1.2", "calling", "INVITE from user", "calling", ""],
  ["§17.1.1.2", "calling", "1xx", "proceeding", "up 180"],
  ["RFC 6026 §8.4", "calling", "2xx", "accepted", "up 200 M=32000"],
  ["§17.1.1.2", "calling", "300-699", "completed", "ACK up 486 D=32000"],
  ["§9.1", "calling", "CANCEL from user", "calling", ""],
  ["§17.1.1.2", "calling", "timer A", "calling", "INVITE A=1000"],
  ["§17.1.1.2", "calling", "timer B", "terminated", "timeout end"],
  ["§17.1.1.2", "calling", "timer D", "calling", ""],
  ["§17.1.1.2", "calling", "timer M", "calling", ""],
  ["§9.1", "calling", "timer CANCEL", "calling", ""],
  ["§17.1.4", "calling", "transport error", "terminated", "transport error end"],

  ["§17.1.1.2", "proceeding", "INVITE from user", "proceeding", ""],
  ["§17.1.1.2", "proceeding", "1xx", "proceeding", "up 180"],
  ["RFC 6026 §8.4", "proceeding", "2xx", "accepted", "up 200 M=32000"],
  ["§17.1.1.2", "proceeding", "300-699", "completed", "ACK up 486 D=32000"],
  ["§9.1", "proceeding", "CANCEL from user", "proceeding", "CANCEL=32000"],
  ["§17.1.1.2", "proceeding", "timer A", "proceeding", ""],
  ["§17.1.1.2", "proceeding", "timer B", "proceeding", ""],
  ["§17.1.1.2", "proceeding", "timer D", "proceeding", ""],
  ["§17.1.1.2", "proceeding", "timer M", "proceeding", ""],
  ["§9.1", "proceeding", "timer CANCEL", "terminated", "timeout end"],
  ["§18.2.2", "proceeding", "transport error", "proceeding", "transport error"],

  ["§17.1.1.2", "completed", "INVITE from user", "completed", ""],
  ["§17.1.1.2", "completed", "1xx", "completed", ""],
  ["§17.1.1.2", "completed", "2xx", "completed", ""],
  ["§17.1.1.2", "completed", "300-699", "completed", "ACK"],
  ["§9.1", "completed", "CANCEL from user", "completed", ""],
  ["§17.1.1.2", "completed", "timer A", "completed", ""],
  ["§17.1.1.2", "completed", "timer B", "completed", ""],
  ["§17.1.1.2", "completed", "timer D", "terminated", "end"],
  ["§17.1.1.2", "completed", "timer M", "completed", ""],
  ["§9.1", "completed", "timer CANCEL", "completed", ""],
  ["§17.1.4", "completed", "transport error", "terminated", "transport error end"],

  ["RFC 6026 §8.4", "accepted", "INVITE from user", "accepted", ""],
  ["RFC 6026 §8.4", "accepted", "1xx", "accepted", ""],
  ["RFC 6026 §8.4", "accepted", "2xx", "accepted", "up 200"],
  ["RFC 6026 §8.4", "accepted", "300-699", "accepted", ""],
  ["§9.1", "accepted", "CANCEL from user", "accepted", ""],
  ["RFC 6026 §8.4", "accepted", "timer A", "accepted", ""],
  ["RFC 6026 §8.4", "accepted", "timer B", "accepted", ""],
  ["RFC 6026 §8.4", "accepted", "timer D", "accepted", ""],
  ["RFC 6026 §8.4", "accepted", "timer M", "terminated", "end"],
  ["§9.1", "accepted", "timer CANCEL", "accepted", ""],
  ["RFC 6026 §8.4", "accepted", "transport error", "accepted", ""],

  ["§17.1.1.2", "terminated", "INVITE from user", "terminated", ""],
  ["§17.1.1.2", "terminated", "1xx", "terminated", ""],
  ["§17.1.1.2", "terminated", "2xx", "terminated", ""],
  ["§17.1.1.2", "terminated", "300-699", "terminated", ""],
  ["§9.1", "terminated", "CANCEL from user", "terminated", ""],
  ["§17.1.1.2", "terminated", "timer A", "terminated", ""],
  ["§17.1.1.2", "terminated", "timer B", "terminated", ""],
  ["§17.1.1.2", "terminated", "timer D", "terminated", ""],
  ["§17.1.1.2", "terminated", "timer M", "terminated", ""],
  ["§9.1", "terminated", "timer CANCEL", "terminated", ""],
  ["§17.1.1.2", "terminated", "transport error", "terminated", ""],
];

for (const [section, state, event, next, expected] of rows) {
  test(`INVITE client, ${section}: ${event} in ${state} → ${next}${expected && `, ${expected}`}`, () => {
    const { machine, notes } = machineIn(state);
    happen(machine, event, notes);
    assert.equal(machine.state, next);
    assert.equal(notes.take(), expected);
  });
}

test("INVITE client: every cell has a row", () => {
  const events = [
    "INVITE from user",
    "1xx",
    "2xx",
    "300-699",
    "CANCEL from user",
    "timer A",
    "timer B",
    "timer D",
    "timer M",
    "timer CANCEL",
    "transport error",
  ];
  assertCovered(Object.keys(inviteClientTable), events, rows);
});

test("§17.1.1.2: unanswered over UDP, seven INVITEs at doubling intervals, then a timeout", () => {
  const { machine, notes } = machineIn("initial");
  machine.start(notes.time);
  const begin = notes.time;
  const sent: number[] = [0];
  const { send } = notes;
  notes.send = (by, bytes) => {
    sent.push(notes.time - begin);
    send.call(notes, by, bytes);
  };
  notes.advance(32_000);
  assert.deepEqual(sent, [0, 500, 1500, 3500, 7500, 15_500, 31_500]);
  assert.equal(machine.state, "terminated");
});

test("§17.1.1.2: over TCP no timer A, and a final response ends it at once", () => {
  const { machine, notes } = machineIn("initial", "TCP");
  machine.start(notes.time);
  assert.equal(notes.take(), "B=32000 INVITE");
  happen(machine, "300-699", notes);
  assert.equal(notes.take(), "ACK up 486 end");
});

test("RFC 6026 §7.2: over TCP too, Accepted lasts 64·T1 and takes the 2xx of other branches", () => {
  const { machine, notes } = machineIn("accepted", "TCP");
  notes.advance(31_999);
  machine.receiveResponse(response(invite, 200, "other"), machine.flow, notes.time);
  notes.advance(1);
  assert.equal(notes.take(), "up 200 end");
});

test("§17.1.1.3: the ACK repeated is the same, with the To tag of the first response", () => {
  const { machine, notes } = machineIn("calling");
  const acks: string[] = [];
  notes.send = (_, bytes) => acks.push(new TextDecoder().decode(bytes));
  machine.receiveResponse(response(invite, 486, "first"), machine.flow, notes.time);
  machine.receiveResponse(response(invite, 486, "second"), machine.flow, notes.time);
  assert.equal(acks.length, 2);
  assert.equal(acks[0], acks[1]);
  assert.match(acks[0]!, /\r\nTo: .*;tag=first\r\n/);
});

test("§17.1.1.2: timers A and B stop with the first provisional response", () => {
  const { notes } = machineIn("proceeding");
  assert.equal(notes.timers.deadline, Number.POSITIVE_INFINITY);
});
