// Who only looks on stops nothing: what an observer throws is reported, and the transaction at hand goes on.

import type { StackObserver } from "./transaction/transaction-user.ts";

/** The observer as the layers see it. Hooks that it does not have are left out, so that nothing is prepared for them. */
export function guarded(observer: StackObserver, onError: (error: unknown) => void): StackObserver {
  const guard =
    <Arguments extends unknown[]>(hook: (...about: Arguments) => void) =>
    (...about: Arguments): void => {
      try {
        hook.call(observer, ...about);
      } catch (error) {
        onError(error);
      }
    };
  const { received, sent, malformed, flowFailed, refused, stray, resent, transactionEnded } = observer;
  return {
    ...(received && { received: guard(received) }),
    ...(sent && { sent: guard(sent) }),
    ...(malformed && { malformed: guard(malformed) }),
    ...(flowFailed && { flowFailed: guard(flowFailed) }),
    ...(refused && { refused: guard(refused) }),
    ...(stray && { stray: guard(stray) }),
    ...(resent && { resent: guard(resent) }),
    ...(transactionEnded && { transactionEnded: guard(transactionEnded) }),
  };
}
