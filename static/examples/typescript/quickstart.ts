// From a service key to paid work, with credits.ts beside this file:
//   CREDITS_URL=https://credits.example.com CREDITS_KEY=rmc_… npx tsx quickstart.ts ada@example.com
import { Credits, PaymentRequired } from "./credits";

const credits = new Credits(process.env.CREDITS_URL!, process.env.CREDITS_KEY!);
const user = { email: process.argv[2] };

async function main() {
  // 1. What does the user have? USER_NOT_FOUND: they have never signed in.
  console.log(await credits.balance(user));

  // 2. Hold what the work costs. The client makes an idempotency key and repeats the call when the network fails.
  const hold = await credits.hold("resume_improvement", user);

  // 3. Do the work here. Then take the credits; if it fails, give them back with release.
  console.log(await credits.capture(hold.holdId));
}

main().catch((error) => {
  if (!(error instanceof PaymentRequired)) throw error;
  console.error(`${error.missing} credits are missing: ${error.purchaseUrl}`);
  process.exitCode = 1;
});
