// What the gate tries on the stub, tried on versitygw.
process.env.PAWL_TEST_S3 = "versitygw";
await import("./s3/server.test.ts");
await import("./buckets.test.ts");
await import("./faults.test.ts");
await import("./stall.test.ts");
