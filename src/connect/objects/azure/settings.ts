import { createSecretKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { PawlError } from "../../../errors.ts";
import { endpointOf, parseIni } from "../bucket-service/settings.ts";

/** The key of an account, or the query of a shared access signature (SAS). */
export type AzureCredentials =
  | { readonly kind: "key"; readonly key: KeyObject }
  | { readonly kind: "sas"; readonly query: string };

/** How a storage account is reached. */
export interface AzureSettings {
  readonly account: string;
  /** Of the Blob service, with the account in its path where the host does not name it. */
  readonly endpoint: URL;
  readonly credentials: AzureCredentials;
}

/** The same as the az CLI reads from its environment and from a section of its file. */
interface AzureConfig {
  readonly account?: string | undefined;
  readonly key?: string | undefined;
  readonly sas?: string | undefined;
  readonly connection?: string | undefined;
  readonly endpoint?: string | undefined;
}

/** What everyone's Azurite is called and opened with; it is documented, and no secret. */
const DEVELOPMENT = {
  account: "devstoreaccount1",
  key: "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
  endpoint: "http://127.0.0.1:10000/devstoreaccount1",
};

/**
 * Settings as the az CLI finds them: a section of `~/.azure/config` where a profile names one, else the environment, else the
 * section `storage` of that file.
 */
export async function azureSettingsOf(
  account: string,
  profile: string | null,
  env: NodeJS.ProcessEnv = process.env,
): Promise<AzureSettings> {
  const given = profile === null ? (fromEnvironment(env) ?? (await fromFile("storage", env))) : null;
  const named = profile === null ? null : await fromFile(profile, env);
  if (profile !== null && named === null)
    throw new PawlError(
      "azure.profile",
      `There is no section [${profile}] in the config file of the az CLI (~/.azure/config): check its name.`,
    );
  const found = resolved(given ?? named ?? {});
  if (found.account && found.account !== account)
    throw new PawlError(
      "azure.account",
      `The credentials${profile === null ? "" : ` of the profile "${profile}"`} are those of the account ${found.account}, and az://${account} names another: name a profile of ~/.azure/config for this side.`,
    );
  return {
    account,
    endpoint: endpointOf(
      found.endpoint || `https://${account}.blob.core.windows.net`,
      "https://account.blob.core.windows.net",
    ),
    credentials: credentialsOf(account, found),
  };
}

function fromEnvironment(env: NodeJS.ProcessEnv): AzureConfig | null {
  const given = {
    account: env.AZURE_STORAGE_ACCOUNT,
    key: env.AZURE_STORAGE_KEY,
    sas: env.AZURE_STORAGE_SAS_TOKEN,
    connection: env.AZURE_STORAGE_CONNECTION_STRING,
    endpoint: env.AZURE_STORAGE_SERVICE_ENDPOINT,
  };
  return given.key || given.sas || given.connection ? given : null;
}

async function fromFile(section: string, env: NodeJS.ProcessEnv): Promise<AzureConfig | null> {
  const path = join(env.AZURE_CONFIG_DIR || join(homedir(), ".azure"), "config");
  const text = await readFile(path, "utf8").catch(() => null);
  const found = text === null ? undefined : parseIni(text).get(section);
  if (found === undefined) return null;
  const { account, key, sas_token: sas, connection_string: connection, service_endpoint: endpoint } = found;
  return { account, key, sas, connection, endpoint };
}

/** A connection string goes before what is said beside it, as in the az CLI. */
function resolved(given: AzureConfig): AzureConfig {
  if (!given.connection) return given;
  const parts = new Map<string, string>();
  for (const part of given.connection.split(";")) {
    const equals = part.indexOf("=");
    if (equals > 0) parts.set(part.slice(0, equals).trim().toLowerCase(), part.slice(equals + 1).trim());
  }
  if (parts.get("usedevelopmentstorage") === "true") return DEVELOPMENT;
  const account = parts.get("accountname");
  const suffix = parts.get("endpointsuffix");
  const scheme = parts.get("defaultendpointsprotocol") ?? "https";
  const bySuffix = account && suffix ? `${scheme}://${account}.blob.${suffix}` : undefined;
  return {
    account,
    key: parts.get("accountkey"),
    sas: parts.get("sharedaccesssignature"),
    endpoint: parts.get("blobendpoint") ?? bySuffix,
  };
}

function credentialsOf(account: string, { key, sas }: AzureConfig): AzureCredentials {
  if (key) {
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(key))
      throw new PawlError(
        "azure.credentials",
        `The key of az://${account} is not in base64: copy it whole, as the portal or \`az storage account keys list\` shows it.`,
      );
    return { kind: "key", key: createSecretKey(Buffer.from(key, "base64")) };
  }
  const query = sas?.replace(/^\?/, "") ?? "";
  if (/(^|&)sig=./.test(query)) return { kind: "sas", query };
  throw new PawlError(
    "azure.credentials",
    query === ""
      ? `There are no credentials for az://${account}: set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or name a profile of ~/.azure/config.`
      : `The SAS token for az://${account} has no signature: copy it whole, with its sig=.`,
  );
}
