#!/bin/sh
# needs-go.sh fails with one sentence unless the Go command can build this module, with its own version or with the one
# that it downloads because go.mod requires it.
set -u
want=$(sed -n 's/^go \([0-9]*\.[0-9]*\).*/\1/p' go.mod)

# fits succeeds for go1.26.3 if want is 1.26. A version without a number is a development version, newer than any.
fits() {
  echo "$1" | awk -v want="$want" '{
    if (!match($0, /go[0-9]+\.[0-9]+/)) exit ($0 == "")
    split(substr($0, RSTART + 2, RLENGTH - 2), have, "."); split(want, need, ".")
    exit !(have[1] > need[1] || have[1] == need[1] && have[2] + 0 >= need[2] + 0)
  }'
}

if ! command -v go >/dev/null 2>&1; then
  echo "Go $want or newer is needed: install it from https://go.dev/dl/ and try again."
  exit 1
fi
have=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null)
choice=$(go env GOTOOLCHAIN 2>/dev/null)
if ! fits "$have" && [ -n "$choice" ] && [ "$choice" != local ]; then
  echo "This is $have: downloading Go $want, which takes a minute or two."
  choice=
fi
if [ "$choice" != local ]; then
  have=$(go env GOVERSION 2>/dev/null) || have=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null)
fi
fits "$have" && exit 0
echo "Go $want or newer is needed, and this is ${have:-older}: install it from https://go.dev/dl/ and try again."
exit 1
