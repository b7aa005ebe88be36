// Calls the credits API. One file that needs fetch (Node 18 or newer, Next.js) and nothing else: copy it.
//
//   const credits = new Credits("https://credits.example.com", process.env.CREDITS_KEY!);
//   await credits.spend("job_match", { email: "ada@example.com" });
//
// Keep it on the server: whoever has the key can spend for every user. In Next.js, app/actions.ts is
//
//   "use server";
//   import { Credits, serverActions } from "@/lib/credits";
//
//   const actions = serverActions({
//     credits: new Credits(process.env.CREDITS_URL!, process.env.CREDITS_KEY!),
//     currentUser: async () => ({ email: (await auth()).user.email }), // your session's, never an argument's
//     analyzeResume: (resumeId: string) => backend.analyze(resumeId),
//     matchJob: (resumeId: string, jobId: string) => backend.match(resumeId, jobId),
//     improveResume: (resumeId: string, jobId: string) => backend.improve(resumeId, jobId),
//   });
//   export async function analyzeResume(resumeId: string) { return actions.analyzeResume(resumeId); }
//   export async function matchJob(resumeId: string, jobId: string) { return actions.matchJob(resumeId, jobId); }
//   export async function improveResume(resumeId: string, jobId: string) { return actions.improveResume(resumeId, jobId); }

/** Whose credits a call is about: one of userId and email. createUser only with an address that you have verified. */
export type User = { userId: number } | { email: string; createUser?: boolean };

export interface Balance { creditsBalance: number; heldCredits: number; availableCredits: number }

/** One debit. replayed: an earlier request with the same key made it. */
export interface Spent { transactionId: number; deltaCredits: number; creditsBalance: number; replayed: boolean }

/** Credits that are reserved, taken or given back. Whoever works for a replayed hold works twice for one price. */
export interface Hold {
  holdId: string;
  userId: number;
  feature: string;
  credits: number;
  capturedCredits: number;
  status: "open" | "captured" | "released" | "expired";
  transactionId: number | null;
  metadata: Record<string, unknown> | null;
  expiresAt: string;
  createdAt: string;
  replayed: boolean;
}

/** idempotencyKey is made when left out; give your own to survive a restart of yours. */
export interface SpendOptions { idempotencyKey?: string; metadata?: Record<string, unknown> }
export interface HoldOptions extends SpendOptions { ttlSeconds?: number }

/** Times in milliseconds: timeout of one attempt, maxWait between two of them. language of the messages in errors. */
export interface Options { timeout?: number; attempts?: number; maxWait?: number; language?: "de" | "en" }

type Detail = Record<string, unknown> | null;

/** A refusal of the API, or, with status 503 and code UNREACHABLE, no answer at all. */
export class CreditsError extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: Detail;
  readonly request_id: string;

  constructor(status: number, code: string, message: string, detail: Detail, requestId: string) {
    super(message);
    this.name = new.target.name;
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.request_id = requestId;
  }
}

/** The user has too few credits, and buys more at purchaseUrl. */
export class PaymentRequired extends CreditsError {
  get required(): number { return Number(this.detail?.required ?? 0); }
  get available(): number { return Number(this.detail?.available ?? 0); }
  get missing(): number { return Number(this.detail?.missing ?? 0); }
  get purchaseUrl(): string { return String(this.detail?.purchaseUrl ?? ""); }
}

/** Calls the API with one service key. Share it. fetch keeps its connections. */
export class Credits {
  readonly #base: string;
  readonly #headers: Record<string, string>;
  readonly #options: { timeout: number; attempts: number; maxWait: number };

  constructor(baseUrl: string, key: string, options: Options = {}) {
    this.#base = baseUrl.replace(/\/+$/, "");
    this.#headers = { authorization: `Bearer ${key}`, accept: "application/json" };
    if (options.language) this.#headers["accept-language"] = options.language;
    this.#options = { timeout: options.timeout ?? 10_000, attempts: options.attempts ?? 5, maxWait: options.maxWait ?? 30_000 };
  }

  async balance(user: User): Promise<Balance> {
    const named: Record<string, string> = "userId" in user ? { userId: String(user.userId) } : { email: user.email };
    return this.#call<Balance>("GET", `/api/credits/balance?${new URLSearchParams(named)}`);
  }

  /** Takes what the feature costs, once per key. */
  async spend(feature: string, user: User, { idempotencyKey, metadata }: SpendOptions = {}): Promise<Spent> {
    return this.#call<Spent>("POST", "/api/credits/spend", { ...user, feature, metadata }, idempotencyKey ?? crypto.randomUUID());
  }

  /** Reserves what the feature costs, for 15 minutes if nothing else is said. */
  async hold(feature: string, user: User, { idempotencyKey, metadata, ttlSeconds }: HoldOptions = {}): Promise<Hold> {
    return this.#call<Hold>("POST", "/api/credits/holds", { ...user, feature, metadata, ttlSeconds }, idempotencyKey ?? crypto.randomUUID());
  }

  /** Takes the held credits, or fewer. Again, it changes nothing. */
  async capture(holdId: string, credits?: number): Promise<Hold> {
    return this.#call<Hold>("POST", `/api/credits/holds/${encodeURIComponent(holdId)}/capture`, credits === undefined ? undefined : { credits });
  }

  /** Gives the held credits back. Again, it changes nothing. */
  async release(holdId: string): Promise<Hold> {
    return this.#call<Hold>("POST", `/api/credits/holds/${encodeURIComponent(holdId)}/release`);
  }

  /**
   * Holds credits, does the work and captures them. Work that throws, or calls markFailed, gets them released; what a
   * release cannot reach, the end of the hold gives back.
   */
  async metered<T>(feature: string, user: User, work: (markFailed: () => void) => Promise<T>, options: HoldOptions = {}): Promise<T> {
    const { holdId } = await this.hold(feature, user, options);
    let failed = true;
    let result: T;
    try {
      let marked = false;
      result = await work(() => { marked = true; });
      failed = marked;
    } finally {
      if (failed) await this.release(holdId).catch(() => undefined);
    }
    if (!failed) await this.capture(holdId);
    return result;
  }

  /** Sends until it is answered for good: again, with the same key, after a network error, 429, 503, and a 409 that says when to come back. */
  async #call<T>(method: string, path: string, body?: object, key?: string): Promise<T> {
    const headers: Record<string, string> = { ...this.#headers };
    if (key) headers["idempotency-key"] = key;
    if (body) headers["content-type"] = "application/json";
    for (let attempt = 1; ; attempt++) {
      const [answer, refused, wait] = await this.#send<T>(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
      if (!refused) return answer as T;
      if (wait === null || wait > this.#options.maxWait || attempt >= this.#options.attempts) throw refused;
      const longest = 100 * 2 ** Math.min(attempt - 1, 6);
      const pause = Math.max(wait, longest * (0.5 + Math.random() / 2));
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** One attempt: its answer, or a refusal with the milliseconds to wait; null when it stands. */
  async #send<T>(path: string, init: RequestInit): Promise<[T | null, CreditsError | null, number | null]> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#base + path, { ...init, signal: AbortSignal.timeout(this.#options.timeout) });
      text = await response.text();
    } catch (cause) {
      return [null, new CreditsError(503, "UNREACHABLE", cause instanceof Error ? cause.name : "no answer", null, ""), 0];
    }
    if (!response.ok) return [null, refusal(response, text), waitOf(response)];
    return [{ ...JSON.parse(text), replayed: response.headers.get("idempotent-replayed") === "true" }, null, null];
  }
}

function waitOf(response: Response): number | null {
  const after = response.headers.get("retry-after") ?? "";
  const says = /^\d+$/.test(after);
  if (![409, 429, 503].includes(response.status) || (response.status === 409 && !says)) return null;
  return says ? Number(after) * 1000 : 0;
}

/** Reads an error; a proxy's, which has another shape, keeps its status. */
function refusal(response: Response, text: string): CreditsError {
  const kind = response.status === 402 ? PaymentRequired : CreditsError;
  try {
    const { request_id, error } = JSON.parse(text);
    return new kind(response.status, error.code, error.message, error.detail, request_id);
  } catch {
    return new kind(response.status, `HTTP_${response.status}`, response.statusText, null, response.headers.get("x-request-id") ?? "");
  }
}

/** What a server action answers. Next.js hides a thrown error's text from the browser, so a refusal is a value. */
export type Outcome<T> =
  | { ok: true; result: T }
  | { ok: false; code: string; message: string; request_id: string; missing?: number; purchaseUrl?: string };

type Work<A extends unknown[], T> = (...args: A) => Promise<T>;

/**
 * Makes the three server actions. Each holds the feature's credits before your work and captures them after it; work
 * that throws costs nothing, and throws. Each call gets a hold of its own: a key that a browser may choose would let it
 * have the work again for nothing.
 */
export function serverActions<A extends unknown[], M extends unknown[], I extends unknown[], RA, RM, RI>(host: {
  credits: Credits;
  currentUser: () => Promise<User>;
  analyzeResume: Work<A, RA>;
  matchJob: Work<M, RM>;
  improveResume: Work<I, RI>;
}) {
  const action = <P extends unknown[], T>(feature: string, work: Work<P, T>) => async (...args: P): Promise<Outcome<T>> => {
    const user = await host.currentUser();
    try {
      return { ok: true, result: await host.credits.metered(feature, user, () => work(...args)) };
    } catch (error) {
      if (!(error instanceof CreditsError)) throw error;
      const { code, message, request_id } = error;
      const missing = error instanceof PaymentRequired ? { missing: error.missing, purchaseUrl: error.purchaseUrl } : {};
      return { ok: false, code, message, request_id, ...missing };
    }
  };
  return {
    analyzeResume: action("resume_analysis", host.analyzeResume),
    matchJob: action("job_match", host.matchJob),
    improveResume: action("resume_improvement", host.improveResume),
  };
}
