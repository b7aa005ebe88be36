"""From a service key to paid work, with credits.py beside this file:

    CREDITS_URL=https://credits.example.com CREDITS_KEY=rmc_… python3 quickstart.py ada@example.com
"""

import os
import sys

from credits import Client, PaymentRequired

credits = Client(os.environ["CREDITS_URL"], os.environ["CREDITS_KEY"])
user = {"email": sys.argv[1]}

# 1. What does the user have? USER_NOT_FOUND: they have never signed in.
print(credits.balance(user))

# 2. Hold what the work costs. The client makes an idempotency key and repeats the call when the network fails.
try:
    hold = credits.hold("resume_improvement", user)
except PaymentRequired as refusal:
    sys.exit(f"{refusal.missing} credits are missing: {refusal.purchase_url}")

# 3. Do the work here. Then take the credits; if it fails, give them back with release.
print(credits.capture(hold["holdId"]))
