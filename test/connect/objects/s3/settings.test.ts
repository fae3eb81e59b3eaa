import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { s3SettingsOf } from "../../../../src/connect/objects/s3/settings.ts";

describe("the settings of a bucket", () => {
  let folder: string;
  let files: Record<string, string>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "pawl-settings-"));
    files = {
      AWS_CONFIG_FILE: join(folder, "config"),
      AWS_SHARED_CREDENTIALS_FILE: join(folder, "credentials"),
    };
    await writeFile(
      join(folder, "config"),
      `# a comment
[default]
region = eu-1
[profile old]
endpoint_url = https://old.example/base
s3 =
  addressing_style = virtual
region=old-1
[profile keyless]
region = x
`,
    );
    await writeFile(
      join(folder, "credentials"),
      "[default]\r\naws_access_key_id = D\r\naws_secret_access_key = ds\r\n[old]\naws_access_key_id=O\naws_secret_access_key=a=b/c+d==\naws_session_token=t\n",
    );
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("come from the environment, else from the profile default", async () => {
    const env = {
      ...files,
      AWS_ACCESS_KEY_ID: "E",
      AWS_SECRET_ACCESS_KEY: "es",
      AWS_ENDPOINT_URL_S3: "http://localhost:9",
    };
    const found = await s3SettingsOf(null, env);
    assert.deepEqual(found.credentials, { accessKeyId: "E", secretAccessKey: "es" });
    assert.deepEqual(
      [found.endpoint.href, found.pathStyle, found.region],
      ["http://localhost:9/", true, "eu-1"],
    );
    const plain = await s3SettingsOf(null, files);
    assert.deepEqual(plain.credentials, { accessKeyId: "D", secretAccessKey: "ds" });
    assert.deepEqual([plain.endpoint.href, plain.pathStyle], ["https://s3.eu-1.amazonaws.com/", false]);
  });

  it("of a profile that is named are its own, whatever the environment says of the other side", async () => {
    const env = {
      ...files,
      AWS_ACCESS_KEY_ID: "E",
      AWS_SECRET_ACCESS_KEY: "es",
      AWS_ENDPOINT_URL: "http://localhost:9",
      AWS_REGION: "env-1",
    };
    const found = await s3SettingsOf("old", env);
    assert.deepEqual(found.credentials, {
      accessKeyId: "O",
      secretAccessKey: "a=b/c+d==",
      sessionToken: "t",
    });
    assert.deepEqual(
      [found.endpoint.href, found.pathStyle, found.region],
      ["https://old.example/base", false, "old-1"],
    );
  });

  it("that are missing or wrong are said in one sentence", async () => {
    await assert.rejects(s3SettingsOf("nobody", files), /There is no profile "nobody"/);
    await assert.rejects(s3SettingsOf("keyless", files), /"keyless" has no aws_access_key_id/);
    await assert.rejects(
      s3SettingsOf(null, { AWS_CONFIG_FILE: "/none", AWS_SHARED_CREDENTIALS_FILE: "/none" }),
      /no credentials for S3/,
    );
    const env = { ...files, AWS_ENDPOINT_URL: "storage.example.com" };
    await assert.rejects(s3SettingsOf(null, env), /not a URL/);
  });
});
