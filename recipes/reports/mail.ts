import { createTransport } from "nodemailer";
import { PermanentError } from "pawl/tasks";

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/**
 * Sends one mail over SMTP. An answer of 5xx to this address or this message is permanent (RFC 5321, 4.2.1), so trying
 * again cannot help. Everything else is worth another try: 4xx, a server that is away, and also a refused login, which
 * is a fault of the settings and not of the mail.
 */
export async function deliver(mail: Mail, id: string, signal: AbortSignal): Promise<string> {
  const { SMTP_URL = "smtp://127.0.0.1:1025", MAIL_FROM = "reports@example.com" } = process.env;
  const transport = createTransport({ url: SMTP_URL, connectionTimeout: 10_000, socketTimeout: 30_000 });
  const stop = () => transport.close();
  signal.addEventListener("abort", stop, { once: true });
  try {
    // The same over all attempts: should one be sent twice, the receiver can tell.
    const messageId = `<${id}@${MAIL_FROM.split("@")[1]}>`;
    const { response } = await transport.sendMail({ from: MAIL_FROM, messageId, ...mail });
    return response ?? "taken";
  } catch (error) {
    if (isPermanent(error)) throw new PermanentError(`${mail.to}: ${error.message}`, { cause: error });
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
    transport.close();
  }
}

function isPermanent(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code, responseCode = 0 } = error as { code?: string; responseCode?: number };
  return (code === "EENVELOPE" || code === "EMESSAGE") && responseCode >= 500;
}
