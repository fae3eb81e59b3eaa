// What the gate tries on the stub, tried on Azurite.
process.env.PAWL_TEST_AZURE = "azurite";
await import("./azure/conformance.test.ts");
