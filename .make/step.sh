#!/bin/sh
# step.sh TITLE COMMAND [ARGUMENT...] runs one step of a make target. It hides the command's output, reports progress
# after 2 seconds and then every 5, and ends a failed step with one sentence that says what to do. If no sentence fits,
# it shows the end of the output.
# Status: 0; 1 if the step failed; 130 or 143 if a signal stopped it, together with every process it had started.
set -u
title=$1
shift

temporary=$(mktemp -d "${TMPDIR:-/tmp}/credits-step.XXXXXX" 2>/dev/null) || {
  echo "No temporary directory can be made in ${TMPDIR:-/tmp}: free space there, or set TMPDIR to a directory that you can write to."
  exit 1
}
trap 'rm -rf "$temporary"' EXIT
log=$temporary/log
export GOTMPDIR="${GOTMPDIR:-$temporary}" # removed with the rest if Go is stopped

export GOGC="${GOGC:-400}" # as in the Makefile

# progress prints the command's progress as far as its output shows it. Go names the modules that it downloads and, with
# -v, the packages that it compiles. Cached packages are not named, so the number of all packages is an upper bound.
progress() {
  modules=$(grep -c '^go: downloading' "$log")
  packages=$(grep -c '^[^ :][^ :]*$' "$log")
  if [ "$1" = go ] && [ "$packages" -gt 0 ]; then
    [ -n "$all" ] || all=$(go list -buildvcs=false -deps . 2>/dev/null | grep -c .)
    echo "$title: $packages of at most $all packages, $2 s."
  elif [ "$modules" -gt "$downloaded" ]; then
    echo "Downloading Go modules: $modules so far, $2 s."
  else
    echo "$title, $2 s."
  fi
  downloaded=$modules
}

# report calls progress until it is stopped, and stops its sleep with it.
report() {
  nap=
  trap 'kill "$nap" 2>/dev/null; exit 0' TERM
  begun=$(date +%s)
  pause=2
  downloaded=0
  all=
  while :; do
    sleep "$pause" >/dev/null 2>&1 &
    nap=$!
    wait "$nap"
    pause=5
    progress "$1" $(($(date +%s) - begun))
  done
}

# descendants lists the processes below the one of that number.
descendants() {
  ps -A -o pid= -o ppid= 2>/dev/null | awk -v root="$1" '
    { children[$2] = children[$2] " " $1 }
    function list(pid, found, n, i) {
      n = split(children[pid], found, " ")
      for (i = 1; i <= n; i++) { print found[i]; list(found[i]) }
    }
    END { list(root) }'
}

# stop ends the command and its descendants with SIGTERM, because background commands of a shell ignore SIGINT.
stop() {
  trap '' INT TERM HUP
  kill -STOP "$command" # it must not start more processes meanwhile
  kill -TERM "$command" $(descendants "$command") "$reporter"
  kill -CONT "$command"
  wait
  exit "$1"
} 2>/dev/null

command=
reporter=
trap 'stop 130' INT
trap 'stop 143' TERM HUP
"$@" >"$log" 2>&1 &
command=$!
report "$1" &
reporter=$!
wait "$command"
status=$?
kill -TERM "$reporter" 2>/dev/null
wait "$reporter"
# npm succeeds even if it could not write a file.
[ "$status" = 0 ] && ! grep -q TAR_ENTRY_ERROR "$log" && exit 0

# because succeeds if a line of the output matches, and stores the end of the first one as the cause.
because() {
  cause=$(grep -Ei -m 1 -e "$1" "$log" | tr -d '"\r' |
    sed -e 's/^[[:space:]]*//' -e "s|\$WORK|$GOTMPDIR|" -e 's/.*\(.\{200\}\)$/…\1/')
  [ -n "$cause" ]
}

# source_advice names the setting that selects another download source.
source_advice() {
  case $1 in
  go) echo "check the network, or set GOPROXY to a module proxy that answers" ;;
  npm | npx) echo "check the network, or name a registry that answers: npm config set registry URL" ;;
  *) echo "check the network" ;;
  esac
}

full='no space left on device|ENOSPC|disk quota exceeded'
readonly='read-only file system|EROFS'
denied='permission denied|EACCES|operation not permitted'
network='dial tcp|no such host|connection (refused|reset)|i/o timeout|TLS handshake|network is unreachable|proxyconnect|'
network=$network'module lookup disabled by GOPROXY=off|temporary failure resolving|could not (resolve|connect)|failed to fetch|'
network=$network'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|50[0-9] (bad gateway|service unavailable)'

# full_disk succeeds if temporary files cannot be written. Then the log is incomplete, too.
full_disk() {
  ! head -c 65536 /dev/zero 2>/dev/null >"$temporary/probe"
}

if full_disk; then
  echo "The disk of ${TMPDIR:-/tmp} is full: free 1 GB there, or set TMPDIR to a directory on another disk, and try again."
elif because '^diff current/go'; then
  echo "go.mod or go.sum is not tidy: go mod tidy, and commit the two."
elif because "$full"; then
  echo "A disk is full ($cause): free 2 GB there and try again."
elif because "$readonly"; then
  echo "A directory is read-only ($cause): use a copy of this checkout in a directory that you can write to."
elif because 'neither \$XDG_CACHE_HOME nor \$HOME|GOCACHE is not defined|build cache is disabled|module cache not found'; then
  echo "Go has no directory for its caches: set HOME, or GOCACHE and GOMODCACHE, to directories that you can write to."
elif because "$denied"; then
  echo "$(id -un) lacks a permission ($cause): run make as the owner of that directory, or give it to $(id -un) with chown."
elif because "$network"; then
  echo "A download failed ($cause): $(source_advice "$1"), and try again."
elif because 'could not get lock|unable to acquire the dpkg'; then
  echo "Another program is installing packages ($cause): wait until it has ended and try again."
elif because 'unable to locate package|has no installation candidate'; then
  echo "apt-get does not know a package ($cause): check the network and /etc/apt/sources.list, and try again."
elif because 'signal: killed|cannot allocate memory|out of memory|errno=12'; then
  echo "The memory is full ($cause): close other programs, or set GOFLAGS=-p=1, and try again."
elif because 'GOFLAGS|-mod=|inconsistent vendoring'; then
  echo "A setting of Go does not suit this checkout ($cause): unset GOFLAGS, or go env -u GOFLAGS, and try again."
elif because 'checksum mismatch|has been modified|SECURITY ERROR'; then
  echo "A module in Go's cache is damaged ($cause): go clean -modcache, and try again."
else
  # Skip Go's lists of downloads and compiled packages.
  grep -v -e '^go: downloading' -e '^[^ :][^ :]*$' "$log" | tail -n 15
  echo "This step failed: $title. The lines above are the end of the output of $1."
fi
exit 1
