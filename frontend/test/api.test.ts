import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { api, Problem } from "../src/lib/api";

interface Sent {
  url: string;
  init: RequestInit;
  headers: Headers;
}

let sent: Sent[];

function answering(...answers: (Response | Error)[]): void {
  sent = [];
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    sent.push({ url, init, headers: new Headers(init.headers) });
    const answer = answers.shift();
    return answer instanceof Error || !answer ? Promise.reject(answer ?? new Error("no answer")) : Promise.resolve(answer);
  });
}

function json(status: number, body: unknown, type = "application/json"): Response {
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": type, ETag: '"3"' } });
}

async function refusal(call: Promise<unknown>): Promise<Problem> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (!(outcome instanceof Problem)) throw new Error(`no refusal but ${String(outcome)}`);
  return outcome;
}

beforeEach(() => {
  document.documentElement.lang = "vi";
  document.head.innerHTML = '<meta name="csrf-token" content="tok">';
});
afterEach(() => vi.unstubAllGlobals());

test("a read carries the language and no token", async () => {
  answering(json(200, { items: [] }));
  const answer = await api<{ items: unknown[] }>("/api/v1/slots");
  expect(answer).toEqual({ status: 200, data: { items: [] }, etag: '"3"' });
  expect(sent[0]?.headers.get("Accept-Language")).toBe("vi");
  expect(sent[0]?.headers.has("X-CSRF-Token")).toBe(false);
});

test("a write from a page carries the token, the key and the version", async () => {
  answering(json(201, { id: "a" }));
  await api("/api/v1/appointments", { method: "POST", body: { slot_id: "s" }, idempotencyKey: "k-1", ifMatch: 3 });
  const { headers, init } = sent[0]!;
  expect(headers.get("X-CSRF-Token")).toBe("tok");
  expect(headers.get("Idempotency-Key")).toBe("k-1");
  expect(headers.get("If-Match")).toBe('"3"');
  expect(headers.get("Content-Type")).toBe("application/json");
  expect(init.body).toBe('{"slot_id":"s"}');
  expect(init.credentials).toBe("same-origin");
});

test("a device sends its own token and leaves the cookie at home", async () => {
  answering(json(201, {}));
  await api("/api/v1/queues/q/tickets", { method: "POST", body: {}, bearer: "device" });
  expect(sent[0]?.headers.get("Authorization")).toBe("Bearer device");
  expect(sent[0]?.headers.has("X-CSRF-Token")).toBe(false);
  expect(sent[0]?.init.credentials).toBe("omit");
});

test("a refusal keeps its code, its translated text and its extras", async () => {
  const body = { code: "slot-taken", detail: "Giờ này vừa có người đặt.", alternatives: ["x"] };
  answering(json(409, body, "application/problem+json"));
  const problem = await refusal(api("/api/v1/appointments", { method: "POST", body: {} }));
  expect(problem.code).toBe("slot-taken");
  expect(problem.status).toBe(409);
  expect(problem.body.detail).toBe("Giờ này vừa có người đặt.");
  expect(problem.body["alternatives"]).toEqual(["x"]);
  expect(problem.passing).toBe(false);
});

test("an answer that is not ours is an internal fault, never a crash", async () => {
  answering(new Response("<h1>502</h1>", { status: 502, headers: { "Content-Type": "text/html" } }));
  const problem = await refusal(api("/api/v1/slots"));
  expect([problem.code, problem.status]).toEqual(["internal", 502]);
});

test("a busy server and a dead line are passing; each says which", async () => {
  answering(json(503, { code: "unavailable", detail: "" }), new TypeError("failed"), new DOMException("late", "TimeoutError"));
  const problems = [await refusal(api("/a")), await refusal(api("/b")), await refusal(api("/c"))];
  expect(problems.map((p) => p.code)).toEqual(["unavailable", "offline", "timeout"]);
  expect(problems.every((p) => p.passing)).toBe(true);
});

test("an empty success has no data", async () => {
  answering(new Response(null, { status: 204 }));
  expect((await api("/api/v1/sessions", { method: "DELETE" })).data).toBeNull();
});
