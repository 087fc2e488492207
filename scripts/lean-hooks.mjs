// Node's test runner watches every promise (`createHook` without `trackPromises: false`), only to name the test that an
// unhandled error came from: a third of the time of all unit tests. Without it such an error still fails the run, and its
// stack, shown here, names the place. Has to be loaded before the first test.

import { createHook } from "node:async_hooks";

const [lean, full] = [false, true].map((trackPromises) => createHook({ trackPromises }));
const flag = Object.getOwnPropertySymbols(lean).find(
  (symbol) => lean[symbol] === true && full[symbol] === false,
);
const { enable } = Object.getPrototypeOf(lean);

if (flag !== undefined) {
  Object.getPrototypeOf(lean).enable = function () {
    this[flag] = true;
    return enable.call(this);
  };
  process.on("unhandledRejection", (error) => console.error(error));
  process.on("uncaughtExceptionMonitor", (error) => console.error(error));
}
