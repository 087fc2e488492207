import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import { Gathering } from "./gathering.ts";
import { Noting, numbered, skip, until } from "./socket.test.kit.ts";

interface Batch {
  readonly at: number;
  readonly count: number;
  /** How long its first datagram had waited. */
  readonly waited: number;
}

/**
 * What a socket reads in virtual time, and when. Datagrams come at `arrivals`, and when `answered` says for each batch; all
 * in milliseconds, ascending.
 */
function play(
  gathering: Gathering,
  end: number,
  arrivals: number[],
  answered: (count: number, now: number) => number[] = () => [],
): Batch[] {
  const batches: Batch[] = [];
  const coming = [...arrivals];
  let read = 0;
  let now = 0;
  let wait = 0;
  while (read < coming.length) {
    const first = coming[read]!;
    now = wait > 0 ? Math.floor(now) + wait : Math.max(now, first);
    if (now > end) break;
    let count = 0;
    while (count < 64 && coming[read + count]! <= now) count++;
    read += count;
    wait = count > 0 ? gathering.after(count, Math.floor(now)) : 0;
    if (count > 0) batches.push({ at: now, count, waited: now - first });
    for (const time of answered(count, now)) coming.push(time);
  }
  return batches;
}

/** So many datagrams a millisecond, for so long. */
const evenly = (rate: number, duration: number) =>
  Array.from({ length: rate * duration }, (_, i) => i / rate);

const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);

test("of many datagrams, as many are read at once as come in the time they may wait", () => {
  for (const [rate, longest, size] of [
    // Half a batch, though 40 would come in 20 ms.
    [2, 20, 32],
    [2, 8, 16],
    [1, 8, 8],
    [8, 20, 32],
    // Fewer than eight: as they come.
    [0.25, 20, 1],
    [0.75, 8, 1],
    // Half a batch within a millisecond needs no waiting.
    [40, 20, 1],
  ] as const) {
    const name = `${rate} a millisecond, for ${longest} ms`;
    const batches = play(new Gathering(longest), 4096, evenly(rate, 4096));
    // From the second period on, and not in the first of each round, which is 16 of them.
    const steady = batches.filter(({ at }) => at > 200 && at % 1024 > 200);
    const mean = sum(steady.map(({ count }) => count)) / steady.length;
    assert.ok(Math.abs(mean - size) <= 1, `${name}: ${mean}, not ${size}`);
    const late = batches.find(({ waited }) => waited > longest + 1);
    assert.equal(late, undefined, name);
    const { length } = evenly(rate, 4096);
    assert.ok(sum(batches.map(({ count }) => count)) >= length - 32, name);
  }
});

test("more than one batch at once does not wait", () => {
  const burst = new Array(640).fill(600);
  const batches = play(new Gathering(20), 4096, [
    ...evenly(2, 600),
    ...burst,
    ...evenly(2, 400).map((time) => 600 + time),
  ]);
  const late = batches.find(({ waited }) => waited > 21);
  assert.equal(late, undefined);
});

test("a burst that ends leaves nothing behind", () => {
  const batches = play(new Gathering(20), 60_000, [...evenly(2, 500), 10_000]);
  assert.equal(sum(batches.map(({ count }) => count)), 1001);
  assert.deepEqual(batches.at(-1), { at: 10_000, count: 1, waited: 0 });
});

test("whoever waits for answers is not kept waiting", () => {
  // Sixteen are under way, and come back half a millisecond after they were answered: never half a batch. By waiting each
  // time it would be 16 in 21 ms.
  const batches = play(new Gathering(20), 10_000, new Array(16).fill(0), (count, now) =>
    new Array(count).fill(now + 0.5),
  );
  const count = sum(batches.map((batch) => batch.count));
  assert.ok(count > 0.85 * 10_000 * 2 * 16, `${count} of 320000`);
  // Also if they come after others who did not wait.
  const open = evenly(2, 2000);
  const after = play(new Gathering(20), 12_000, [...open, ...new Array(16).fill(2000)], (count, now) =>
    now < 2000 ? [] : new Array(count).fill(now + 0.5),
  );
  const answered = sum(after.filter(({ at }) => at > 4000).map((batch) => batch.count));
  assert.ok(answered > 0.85 * 8000 * 2 * 16, `${answered} of 256000`);
});

test("a lull does not keep those after it from waiting", () => {
  const arrivals = evenly(2, 1000).filter((time) => time < 300 || time >= 500);
  const after = play(new Gathering(20), 1000, arrivals).filter(({ at }) => at > 600);
  const mean = sum(after.map(({ count }) => count)) / after.length;
  assert.ok(mean > 30, `${mean}`);
});

test("when they are gone, others wait again", () => {
  const gathering = new Gathering(20);
  play(gathering, 2000, new Array(16).fill(0), (count, now) => new Array(count).fill(now + 0.5));
  const others = play(
    gathering,
    8000,
    evenly(2, 8000).filter((time) => time > 2000),
  );
  const mean = sum(others.map(({ count }) => count)) / others.length;
  assert.ok(mean > 8, `${mean}`);
});

test("the clock may start again from 0", () => {
  for (const end of [2 ** 31, 2 ** 32]) {
    const wrapping = new Gathering(20);
    const plain = new Gathering(20);
    for (let now = 0; now < 2000; now += 10) {
      // As an Int32Array has it.
      const time = (end - 1000 + now) | 0;
      assert.equal(wrapping.after(20, time), plain.after(20, now), `to ${end}, after ${now} ms`);
    }
  }
});

test("a time that is none is refused", { skip }, () => {
  for (const gather of [-1, 0.5, 21, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => new Noting({ gather }), RangeError);
});

/** A socket that waits so many milliseconds after each batch, and the loop's time of each. */
function waiting(t: TestContext, milliseconds: number): { socket: Noting; times: number[] } {
  const times: number[] = [];
  t.mock.method(Gathering.prototype, "after", (_count: number, now: number) => {
    times.push(now);
    return milliseconds;
  });
  return { socket: new Noting({ gather: 20 }), times };
}

test("what comes while a socket waits is read together, when the time is over", { skip }, async (t) => {
  const near = new Noting();
  const { socket: far, times } = waiting(t, 50);
  for (const content of numbered(30)) {
    near.send(content, far.socket);
    await setImmediate();
  }
  await until(() => far.received.length === 30);
  assert.deepEqual(far.received, numbered(30));
  for (let i = 1; i < times.length; i++) assert.ok(times[i]! - times[i - 1]! >= 50, `${times}`);
  // If a batch could not come earlier the last has waited too: what comes after it is read without anything else.
  near.send("30", far.socket);
  await until(() => far.received.length === 31);
});

test("what is sent does not wait, nor what the system refuses", { skip }, async (t) => {
  const far = new Noting();
  const { socket: near, times } = waiting(t, 200);
  near.react = (texts) => {
    for (const content of texts) near.send(`answer to ${content}`, far.socket);
  };
  far.send("0", near.socket);
  await until(() => far.received.length === 1);
  near.send("unasked", far.socket);
  near.send(new Uint8Array(70_000), far.socket);
  await until(() => far.received.length === 2 && near.failures.length === 1);
  assert.deepEqual([far.received, times.length], [["answer to 0", "unasked"], 1]);
  far.send("1", near.socket);
  await until(() => far.received.length === 3);
  assert.ok(times[1]! - times[0]! >= 200, `${times}`);
});

test("closed while datagrams wait", { skip }, async (t) => {
  const near = new Noting();
  const { socket: far } = waiting(t, 50);
  near.send("0", far.socket);
  await until(() => far.received.length === 1);
  near.send("1", far.socket);
  // Sends what is queued at once.
  near.socket.close();
  far.socket.close();
  await setTimeout(100);
  assert.deepEqual(far.received, ["0"]);
});
