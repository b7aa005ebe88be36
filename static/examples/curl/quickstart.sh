#!/bin/sh
# From a service key to paid work, with curl:
#   CREDITS_URL=https://credits.example.com CREDITS_KEY=rmc_… sh quickstart.sh ada@example.com
set -eu
api="$CREDITS_URL/api/credits"
user=$1
call() { curl -sS -H "Authorization: Bearer $CREDITS_KEY" -H 'Content-Type: application/json' "$@"; }

# 1. What does the user have? USER_NOT_FOUND: they have never signed in.
call --fail-with-body -G "$api/balance" --data-urlencode "email=$user"; echo

# 2. Hold what the work costs. The same Idempotency-Key with the same request holds once, however often it is sent.
answer=$(call -H "Idempotency-Key: improve-$$" "$api/holds" -d "{\"email\":\"$user\",\"feature\":\"resume_improvement\"}")
hold=$(echo "$answer" | sed -n 's/.*"holdId":"\([^"]*\)".*/\1/p')
if [ -z "$hold" ]; then
  echo "$answer" # 402 INSUFFICIENT_CREDITS: send the user to purchaseUrl, then repeat the request
  exit 1
fi

# 3. Do the work here. Then take the credits; if the work failed, send the same to …/release instead.
call -X POST "$api/holds/$hold/capture"; echo
