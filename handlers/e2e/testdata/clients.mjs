// Uses the TypeScript client as a service does. TestClients runs it and checks the ledger afterwards.
import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

const env = process.env;
// Node 20 cannot run TypeScript; jiti, which Tailwind installs, strips the types.
const { createJiti } = await import(pathToFileURL(env.JITI));
const { Credits, CreditsError, PaymentRequired, serverActions } = await createJiti(import.meta.url, { fsCache: false }).import(env.CLIENT);

const credits = new Credits(env.CREDITS_URL + "/", env.CREDITS_KEY);
const user = { email: env.CREDITS_USER };
const wantBalance = async (balance, held) => {
  const { creditsBalance, heldCredits, availableCredits } = await credits.balance(user);
  assert.deepEqual([creditsBalance, heldCredits, availableCredits], [balance, held, balance - held]);
};
const refusal = async (call) => {
  const error = await call.then(() => assert.fail("the call succeeded, want a CreditsError"), (e) => e);
  assert.ok(error instanceof CreditsError, error);
  return error;
};

await wantBalance(60, 0);
const once = { idempotencyKey: "typescript-1", metadata: { resume: 4711 } };
const first = await credits.spend("resume_analysis", user, once);
assert.deepEqual([first.deltaCredits, first.creditsBalance, first.replayed], [-10, 50, false]);
assert.deepEqual(await credits.spend("resume_analysis", user, once), { ...first, replayed: true });
assert.equal((await credits.spend("job_match", user, { idempotencyKey: "faulty-typescript" })).creditsBalance, 45);

const held = await credits.hold("resume_improvement", user, { ttlSeconds: 60 });
await wantBalance(45, 15);
assert.equal((await credits.capture(held.holdId)).status, "captured");
const closed = await refusal(credits.release(held.holdId));
assert.deepEqual([closed.status, closed.code, closed.detail.status], [409, "HOLD_NOT_OPEN", "captured"]);

let seen;
const actions = serverActions({
  credits,
  currentUser: async () => user,
  analyzeResume: async () => { throw new TypeError("the work failed"); },
  matchJob: async (resume, job) => { seen = await credits.balance(user); return `${resume} fits ${job}`; },
  improveResume: async () => "better",
});
assert.deepEqual(await actions.matchJob("r1", "j1"), { ok: true, result: "r1 fits j1" });
assert.equal(seen.heldCredits, 5);
await wantBalance(25, 0);
await assert.rejects(actions.analyzeResume("r1"), { name: "TypeError", message: "the work failed" });
await wantBalance(25, 0);
assert.equal(await credits.metered("job_match", user, async (markFailed) => { markFailed(); return "nothing"; }), "nothing");
await wantBalance(25, 0);

assert.deepEqual(await actions.improveResume("r1", "j1"), { ok: true, result: "better" });
const short = await actions.improveResume("r1", "j1");
assert.deepEqual([short.ok, short.code, short.missing], [false, "INSUFFICIENT_CREDITS", 5]);
const poor = await refusal(credits.hold("resume_improvement", user));
assert.ok(poor instanceof PaymentRequired && poor.message && poor.request_id.startsWith("req_"), poor);
assert.deepEqual([poor.status, poor.code, poor.required, poor.available, poor.missing], [402, "INSUFFICIENT_CREDITS", 15, 10, 5]);
assert.ok(poor.purchaseUrl.endsWith("/purchase?package=100") && short.purchaseUrl === poor.purchaseUrl, poor.purchaseUrl);
assert.equal((await refusal(credits.spend("none", user))).code, "FEATURE_UNKNOWN");
const unreachable = await refusal(new Credits("http://127.0.0.1:9", "rmc_", { attempts: 2 }).balance(user));
assert.deepEqual([unreachable.status, unreachable.code], [503, "UNREACHABLE"]);
