import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";

/** A mail that arrived. */
export interface Letter {
  readonly to: string;
  readonly text: string;
}

/** What the server says to a recipient: null takes the mail. */
export type Verdict = { readonly code: number; readonly message: string } | null;

/** An SMTP server on this machine, in place of a real one. */
export class Mailbox {
  readonly letters: Letter[] = [];
  readonly #server: SMTPServer;
  #verdict: (to: string, attempt: number) => Verdict;
  readonly #attempts = new Map<string, number>();

  /** `verdict` is asked for each message that is sent to an address. */
  constructor(verdict: (to: string, attempt: number) => Verdict = () => null) {
    this.#verdict = verdict;
    this.#server = new SMTPServer({
      authOptional: true,
      disabledCommands: ["AUTH", "STARTTLS"],
      logger: false,
      onRcptTo: ({ address }, _session, answer) => {
        const attempt = this.attempts(address) + 1;
        this.#attempts.set(address, attempt);
        const said = this.#verdict(address, attempt);
        answer(said === null ? null : Object.assign(new Error(said.message), { responseCode: said.code }));
      },
      onData: (stream, session, answer) => {
        stream.setEncoding("utf8");
        let text = "";
        stream.on("data", (piece: string) => {
          text += piece;
        });
        stream.on("end", () => {
          for (const { address } of session.envelope.rcptTo) this.letters.push({ to: address, text });
          answer(null, "taken");
        });
      },
    });
    // Clients that go away in the middle.
    this.#server.on("error", () => {});
  }

  /** How many messages were to be sent to this address. */
  attempts(address: string): number {
    return this.#attempts.get(address) ?? 0;
  }

  /** Changes what the server says. */
  answers(verdict: (to: string, attempt: number) => Verdict): void {
    this.#verdict = verdict;
  }

  /** Listens on the loopback address, and returns the URL. */
  async open(port = 0): Promise<string> {
    const listening = this.#server.listen(port, "127.0.0.1");
    await once(listening, "listening");
    return `smtp://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await new Promise<void>((closed) => this.#server.close(() => closed()));
  }
}
