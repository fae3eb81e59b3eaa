// What the gate tries on the stub, tried on versitygw.
process.env.PAWL_TEST_S3 = "versitygw";
await import("./s3/server.test.ts");
await import("./s3/conformance.test.ts");
await import("./s3/copy.test.ts");
await import("./transfer/faults.test.ts");
await import("./http/stall.test.ts");
