import assert from "node:assert/strict";
import { test } from "node:test";
import {
  NonInviteClient,
  type NonInviteClientEvent,
  type NonInviteClientState,
  nonInviteClientTable,
} from "./non-invite-client.ts";
import { assertCovered, flow, key, NoteTaker, request, response } from "./sink.test.kit.ts";
import { Timer } from "./timers.ts";

const options = request("OPTIONS");

function machineIn(
  state: NonInviteClientState,
  transport: "UDP" | "TCP" = "UDP",
): { machine: NonInviteClient; notes: NoteTaker } {
  const notes = new NoteTaker();
  const machine = new NonInviteClient(key, "OPTIONS", flow(transport), options.bytes, notes, notes);
  if (state !== "initial") machine.start(notes.time);
  if (state === "proceeding") happen(machine, "1xx", notes);
  if (state === "completed") happen(machine, "200-699", notes);
  if (state === "terminated") happen(machine, "timer F", notes);
  assert.equal(machine.state, state);
  notes.take();
  return { machine, notes };
}

function happen(machine: NonInviteClient, event: NonInviteClientEvent, notes: NoteTaker): void {
  const now = notes.time;
  if (event === "request from user") machine.start(now);
  else if (event === "1xx") machine.receiveResponse(response(options, 100), machine.flow, now);
  else if (event === "200-699") machine.receiveResponse(response(options, 200), machine.flow, now);
  else if (event === "transport error") machine.transportError(new Error("no route"), now);
  else machine.fire(new Timer(machine, event), now);
}

type Row = [
  section: string,
  state: NonInviteClientState,
  event: NonInviteClientEvent,
  next: NonInviteClientState,
  notes: string,
];

const rows: Row[] = [
  ["§17.1.2.2", "initial", "request from user", "trying", "F=32000 E=500 OPTIONS"],
  ["§17.1.2.2", "initial", "1xx", "initial", ""],
  ["§17.1.2.2", "initial", "200-699", "initial", ""],
  ["§17.1.2.2", "initial", "timer E", "initial", ""],
  ["§17.1.2.2", "initial", "timer F", "initial", ""],
  ["§17.1.2.2", "initial", "timer K", "initial", ""],
  ["§17.1.2.2", "initial", "transport error", "initial", ""],

  ["§17.1.2.2", "trying", "request from user", "trying", ""],
  ["§17.1.2.2", "trying", "1xx", "proceeding", "up 100"],
  ["§17.1.2.2", "trying", "200-699", "completed", "up 200 K=5000"],
  ["§17.1.2.2", "trying", "timer E", "trying", "OPTIONS E=1000"],
  ["§17.1.2.2", "trying", "timer F", "terminated", "timeout end"],
  ["§17.1.2.2", "trying", "timer K", "trying", ""],
  ["§17.1.4", "trying", "transport error", "terminated", "transport error end"],

  ["§17.1.2.2", "proceeding", "request from user", "proceeding", ""],
  ["§17.1.2.2", "proceeding", "1xx", "proceeding", "up 100"],
  ["§17.1.2.2", "proceeding", "200-699", "completed", "up 200 K=5000"],
  ["§17.1.2.2", "proceeding", "timer E", "proceeding", "OPTIONS E=4000"],
  ["§17.1.2.2", "proceeding", "timer F", "terminated", "timeout end"],
  ["§17.1.2.2", "proceeding", "timer K", "proceeding", ""],
  ["§17.1.4", "proceeding", "transport error", "terminated", "transport error end"],

  ["§17.1.2.2", "completed", "request from user", "completed", ""],
  ["§17.1.2.2", "completed", "1xx", "completed", ""],
  ["§17.1.2.2", "completed", "200-699", "completed", ""],
  ["§17.1.2.2", "completed", "timer E", "completed", ""],
  ["§17.1.2.2", "completed", "timer F", "completed", ""],
  ["§17.1.2.2", "completed", "timer K", "terminated", "end"],
  ["§17.1.2.2", "completed", "transport error", "completed", ""],

  ["§17.1.2.2", "terminated", "request from user", "terminated", ""],
  ["§17.1.2.2", "terminated", "1xx", "terminated", ""],
  ["§17.1.2.2", "terminated", "200-699", "terminated", ""],
  ["§17.1.2.2", "terminated", "timer E", "terminated", ""],
  ["§17.1.2.2", "terminated", "timer F", "terminated", ""],
  ["§17.1.2.2", "terminated", "timer K", "terminated", ""],
  ["§17.1.2.2", "terminated", "transport error", "terminated", ""],
];

for (const [section, state, event, next, expected] of rows) {
  test(`other client, ${section}: ${event} in ${state} → ${next}${expected && `, ${expected}`}`, () => {
    const { machine, notes } = machineIn(state);
    happen(machine, event, notes);
    assert.equal(machine.state, next);
    assert.equal(notes.take(), expected);
  });
}

test("other client: every cell has a row", () => {
  const events = ["request from user", "1xx", "200-699", "timer E", "timer F", "timer K", "transport error"];
  assertCovered(Object.keys(nonInviteClientTable), events, rows);
});

test("§17.1.2.2: unanswered over UDP, eleven requests at intervals up to T2, then a timeout", () => {
  const { machine, notes } = machineIn("initial");
  const begin = notes.time;
  const sent: number[] = [];
  notes.send = () => sent.push(notes.time - begin);
  machine.start(notes.time);
  notes.advance(32_000);
  assert.deepEqual(sent, [0, 500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
  assert.equal(machine.state, "terminated");
});

test("§17.1.2.2: a 100 slows the resends down to T2 but does not end them", () => {
  const { machine, notes } = machineIn("trying");
  const begin = notes.time;
  const sent: number[] = [];
  notes.send = () => sent.push(notes.time - begin);
  happen(machine, "1xx", notes);
  notes.advance(10_000);
  assert.deepEqual(sent, [500, 4500, 8500]);
});

test("§17.1.2.2: over TCP no timer E, and the final response ends it at once", () => {
  const { machine, notes } = machineIn("initial", "TCP");
  machine.start(notes.time);
  happen(machine, "1xx", notes);
  happen(machine, "200-699", notes);
  assert.equal(notes.take(), "F=32000 OPTIONS up 100 up 200 end");
});
