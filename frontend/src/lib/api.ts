/** The body of an `application/problem+json` answer: `code` is stable, `detail` is in the reader's language. */
export interface ProblemBody {
  code: string;
  detail: string;
  status: number;
  fields?: Record<string, string[]>;
  request_id?: string;
  [extra: string]: unknown;
}

/** A refusal by the server, or `offline` / `timeout` where no answer came. */
export class Problem extends Error {
  constructor(readonly body: ProblemBody) {
    super(body.code);
    this.name = "Problem";
  }

  get code(): string {
    return this.body.code;
  }

  get status(): number {
    return this.body.status;
  }

  /** Whether the same request may succeed later without a change: no answer, too many, or the server busy. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 503;
  }
}

export interface Call {
  method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  body?: unknown;
  /** One key for one intention: keep it when sending the same thing again, so that it happens once. */
  idempotencyKey?: string;
  /** The version that is being changed, as the server gave it. */
  ifMatch?: number;
  /** Devices (kiosk) carry a token; pages use the session cookie. */
  bearer?: string;
  timeoutMs?: number;
}

export interface Answer<T> {
  status: number;
  data: T;
  etag: string | null;
}

export function newKey(): string {
  return crypto.randomUUID();
}

function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

function headersOf(call: Call): Headers {
  const headers = new Headers({
    Accept: "application/json, application/problem+json",
    "Accept-Language": document.documentElement.lang || "vi",
  });
  if (call.body !== undefined) headers.set("Content-Type", "application/json");
  if (call.bearer) headers.set("Authorization", `Bearer ${call.bearer}`);
  else if (call.method && call.method !== "GET") headers.set("X-CSRF-Token", csrfToken());
  if (call.idempotencyKey) headers.set("Idempotency-Key", call.idempotencyKey);
  if (call.ifMatch !== undefined) headers.set("If-Match", `"${call.ifMatch}"`);
  return headers;
}

async function send(path: string, call: Call): Promise<Response> {
  const init: RequestInit = {
    method: call.method ?? "GET",
    headers: headersOf(call),
    credentials: call.bearer ? "omit" : "same-origin",
    signal: AbortSignal.timeout(call.timeoutMs ?? 15_000),
  };
  if (call.body !== undefined) init.body = JSON.stringify(call.body);
  try {
    return await fetch(path, init);
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    throw new Problem({ code: late ? "timeout" : "offline", detail: "", status: 0 });
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const known = response.headers.get("Content-Type")?.includes("json");
  const body = known ? ((await response.json().catch(() => null)) as Partial<ProblemBody> | null) : null;
  return new Problem({ code: "internal", detail: "", ...body, status: response.status });
}

/** Calls the JSON API. Throws Problem for every answer that is not a success, and where none came. */
export async function api<T>(path: string, call: Call = {}): Promise<Answer<T>> {
  const response = await send(path, call);
  if (!response.ok) throw await problemOf(response);
  const data = (response.status === 204 ? null : await response.json()) as T;
  return { status: response.status, data, etag: response.headers.get("ETag") };
}
