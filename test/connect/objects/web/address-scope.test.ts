import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { scopeOf } from "../../../../src/connect/objects/web/address-scope.ts";

describe("an address", () => {
  it("is known for how near it is, in whatever form it is written", () => {
    const near: Record<number, string[]> = {
      3: [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:7f00:1",
        "[::1]",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "nonsense",
        "",
      ],
      2: [
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
      ],
      1: [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "fd00::1",
        "fc00::1",
        "::ffff:10.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "2001:db8::1",
      ],
      0: [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "1.1.1.1",
        "2606:4700:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
      ],
    };
    for (const [reach, addresses] of Object.entries(near))
      for (const address of addresses) assert.equal(scopeOf(address), Number(reach), address);
  });
});
