// Where a redirected request goes: by q, each target once, with what the Contact asks for. RFC 3261 §8.1.3.4, §19.1.5.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SipRequest } from "../message/index.ts";
import { exchange, once } from "./exchange.test.kit.ts";

describe("§8.1.3.4: targets of a redirection", () => {
  it("go by q, each once, until one takes it", async () => {
    const contacts = "<sip:low@10.0.0.3>;q=0.2, <sip:high@10.0.0.4>;q=0.9, <sip:none@10.0.0.3>;q=0.5";
    const { requests, code } = await exchange((request, count) => {
      if (count === 1) return { code: 300, headers: [["Contact", contacts]] };
      return { code: request.requestUriText.includes("low") ? 200 : 486 };
    });
    assert.equal(code, 200);
    assert.deepEqual(
      requests.map((request) => request.requestUriText.slice(4, 8)),
      ["bob@", "high", "none", "low@"],
    );
  });

  // escapes hide line ends; compact names are the ones that §19.1.5 names; these could not even be printed
  for (const field of ["Subject=a%0d%0aX-Evil:%20b", "a%20b=c", "l=3", "v=SIP/2.0", "f=%3Csip:evil%40x%3E"]) {
    it(`§19.1.5: ?${field} is left out, what stands beside it not`, async () => {
      const contact = `<sip:carol@10.0.0.3?${field}&Priority=urgent>`;
      const { requests, code } = await exchange(once(302, ["Contact", contact]));
      assert.equal(code, 200);
      assert.equal(requests[1]?.headers.raw("Priority"), "urgent");
      const names = (request: SipRequest | undefined) =>
        Array.from(request?.headers.entries() ?? [], ([name]) => name.toLowerCase()).sort();
      assert.deepEqual(names(requests[1]), [...names(requests[0]), "priority"].sort());
    });
  }

  it("a 6xx ends the search", async () => {
    const contacts = "<sip:a@10.0.0.3>, <sip:b@10.0.0.4>";
    const { requests, code } = await exchange((_, count) =>
      count === 1 ? { code: 302, headers: [["Contact", contacts]] } : { code: 603 },
    );
    assert.deepEqual([code, requests.length], [603, 2]);
  });
});
