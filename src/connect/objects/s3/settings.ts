import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { PawlError } from "../../../errors.ts";
import { endpointOf, parseIni } from "../bucket-service/settings.ts";

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** How a bucket is reached. */
export interface S3Settings {
  readonly endpoint: URL;
  readonly region: string;
  /** The bucket stands in the path and not in the host. */
  readonly pathStyle: boolean;
  /** Null for a public bucket, whose requests are not signed. */
  readonly credentials: S3Credentials | null;
}

/**
 * Settings as the tools of AWS find them: a profile of `~/.aws/config` and `~/.aws/credentials` where one is named, else the
 * environment, else the profile `default`. Whatever else speaks S3 is reached by `endpoint_url` or `AWS_ENDPOINT_URL_S3`.
 */
export async function s3SettingsOf(
  profile: string | null,
  env: NodeJS.ProcessEnv = process.env,
): Promise<S3Settings> {
  const named = profile ?? env.AWS_PROFILE ?? null;
  const section = await sectionOf(named ?? "default", env);
  if (section === null && named !== null) {
    throw new PawlError(
      "s3.profile",
      `There is no profile "${named}" in ~/.aws/config or ~/.aws/credentials: check its name.`,
    );
  }
  const found = section ?? {};
  // A profile that is named for one side must not be reached by what the environment says of the other.
  const fromEnv = profile === null ? env : {};
  const region =
    fromEnv.AWS_REGION || fromEnv.AWS_DEFAULT_REGION || found.region || env.AWS_REGION || "us-east-1";
  const given =
    fromEnv.AWS_ENDPOINT_URL_S3 ||
    fromEnv.AWS_ENDPOINT_URL ||
    found["s3.endpoint_url"] ||
    found.endpoint_url ||
    null;
  const style = found["s3.addressing_style"];
  return {
    endpoint: endpointOf(given ?? `https://s3.${region}.amazonaws.com`, "https://storage.example.com"),
    region,
    pathStyle: style === "path" || (style !== "virtual" && given !== null),
    credentials: credentialsOf(fromEnv, found, named),
  };
}

function credentialsOf(
  env: NodeJS.ProcessEnv,
  found: Readonly<Record<string, string>>,
  profile: string | null,
): S3Credentials | null {
  // A profile that the environment names goes before the keys that it holds.
  const fromEnv = env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY && !env.AWS_PROFILE;
  const accessKeyId = fromEnv ? env.AWS_ACCESS_KEY_ID : found.aws_access_key_id;
  const secretAccessKey = fromEnv ? env.AWS_SECRET_ACCESS_KEY : found.aws_secret_access_key;
  const sessionToken = fromEnv ? env.AWS_SESSION_TOKEN : found.aws_session_token;
  if (!accessKeyId || !secretAccessKey) {
    if (env.AWS_NO_SIGN_REQUEST || found.no_sign_request) return null;
    throw new PawlError(
      "s3.credentials",
      profile === null
        ? "There are no credentials for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of ~/.aws/credentials."
        : `The profile "${profile}" has no aws_access_key_id and aws_secret_access_key, and Pawl gets them from nowhere else.`,
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

async function sectionOf(
  profile: string,
  env: NodeJS.ProcessEnv,
): Promise<Readonly<Record<string, string>> | null> {
  const folder = join(homedir(), ".aws");
  const files = [
    env.AWS_CONFIG_FILE || join(folder, "config"),
    env.AWS_SHARED_CREDENTIALS_FILE || join(folder, "credentials"),
  ];
  let section: Record<string, string> | null = null;
  for (const file of files) {
    const text = await readFile(file, "utf8").catch(() => null);
    const more = text === null ? undefined : parseIni(text).get(profile);
    if (more) section = { ...(section ?? {}), ...more };
  }
  return section;
}
