# Resume Matcher Credits. `make run` needs only Go; `make test` installs the rest or names the command that does.
SHELL       := /bin/sh
.SHELLFLAGS := -euc
MAKEFLAGS   += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

LINTER       := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
CYCLONEDX    := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
GITLEAKS     := github.com/zricethezav/gitleaks/v8@v8.30.1
GOTESTSUM    := gotest.tools/gotestsum@v1.13.0
NODE         := 22.23.3
BENCHTIME    ?= 1s
BENCHFLAGS   ?=
FUZZTIME     ?= 60s

# The compiler and the linter take a fifth less time if they collect garbage less often. Tests run without this setting.
# .make/step.sh sets it too.
COMPILE := env GOGC=400

# The time limit per package, which only a hanging test reaches, and extra flags: make test TESTFLAGS=-count=3
TEST_TIMEOUT ?= 40m
TESTFLAGS    ?=
TEST_LOG     := .data/test
# Four packages, and four tests of each, in parallel on any machine, because many wait for a server. -w halves the time to
# link; make lint runs vet.
GOTEST_FLAGS  = -shuffle=on -p 4 -parallel 4 -ldflags=-w -vet=off -timeout $(TEST_TIMEOUT) -exec "env -u GOGC" $(TESTFLAGS)
GOTEST       := $(COMPILE) go run $(GOTESTSUM) --format pkgname --format-hide-empty-pkg --hide-summary skipped

# Starts one PostgreSQL for all packages that a command tests.
DATABASE := go run ./models/dbtest/shared

# Runs a command, reports progress every few seconds, and ends with one sentence if it fails.
STEP := sh .make/step.sh

# Ignore a go.work in a parent directory.
export GOWORK := off

# Without the checkout's path in compiled files, Go's cache serves every checkout: a new clone saves a minute of make test.
export GOFLAGS := $(shell go env GOFLAGS 2>/dev/null) -trimpath

# One set of compiled packages for the product, its tools and its tests. The race detector needs cgo, and a set of its own.
export CGO_ENABLED := 0
RACE := env CGO_ENABLED=1

# Accept a checkout that belongs to another user, as in a container.
GIT     := git -c safe.directory='$(CURDIR)'
VERSION  = $(shell $(GIT) describe --tags --always --dirty 2>/dev/null || echo development)
COMMIT   = $(shell $(GIT) rev-parse --short=12 HEAD 2>/dev/null)

# Committed files that tools generate from other files or copy from packages.
GENERATED := '*_templ.go' static/css/app.css 'static/js/*.min.js' static/fonts static/licenses services/sandbox/appearance/*.woff2

# The browsers that the tests can drive, in the order in which they look, and Debian's package of the lightest.
HEADLESS := chromium-headless-shell
BROWSERS := /usr/lib/chromium/chromium-headless-shell headless_shell headless-shell chromium chromium-browser google-chrome google-chrome-stable \
  google-chrome-beta google-chrome-unstable chrome /snap/bin/chromium \
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" /Applications/Chromium.app/Contents/MacOS/Chromium

.PHONY: help
help: ## list the targets (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

.PHONY: run
run: needs-go ## build and run the product on http://localhost:3000 in sandbox mode; needs only Go
	@exec $(STEP) "Preparing .data/bin" sh -c 'mkdir -p .data/bin && file=$$(mktemp .data/bin/new.XXXXXX) && rm "$$file"'
	@exec $(STEP) Building go build -v -buildvcs=false -o .data/bin/credits . # exec: stopping make stops everything
	@exec .data/bin/credits

# Packages whose goroutines share memory behind locks. make test runs their tests with the race detector and all others
# without, which takes a third of the time. make test-full runs all of them with it, and builds the program with it.
RACED := handlers/transport services/apikey services/batch services/ledger services/limit services/spend

# go install -n installs nothing: it downloads the linter's modules while the first phases compile.
.PHONY: test
test: needs-go ## install what is missing, then run every check and every test
	@$(PHASES); \
	go install -n $(LINTER) >/dev/null 2>&1 & \
	phase "programs and tools" $(MAKE) tools conformance; \
	phase "generated files" $(MAKE) verify; \
	phase "lint" $(MAKE) lint; \
	phase "tests with the race detector" $(DATABASE) $(subst go run,go run -exec "$(RACE)",$(GOTEST)) --jsonfile $(TEST_LOG)/race.json -- -race $(GOTEST_FLAGS) $(RACED:%=./%); \
	others=$$(go list ./...); for package in $(RACED) handlers/e2e; do others=$$(echo "$$others" | grep -v "/$$package\$$"); done; \
	phase "tests without the race detector" $(DATABASE) $(GOTEST) --jsonfile $(TEST_LOG)/rest.json -- $(GOTEST_FLAGS) $$others; \
	phase "tests of the running program, and in the browser" $(GOTEST) --jsonfile $(TEST_LOG)/e2e.json -- $(GOTEST_FLAGS) ./handlers/e2e

.PHONY: test-full
test-full: needs-go ## run every test at full depth, plus planted mistakes, fuzzing, benchmarks and Lighthouse; may take an hour
	@export TEST_DEPTH=full TEST_TIMEOUT=90m; $(PHASES); \
	$(MAKE) test; \
	phase "every test with the race detector, not at full depth" $(DATABASE) $(subst go run,env TEST_DEPTH= go run -exec "$(RACE)",$(GOTEST)) --jsonfile $(TEST_LOG)/raced.json -- -race $(GOTEST_FLAGS) ./...; \
	phase "each benchmark once, with the race detector" $(MAKE) bench CGO_ENABLED=1 BENCHTIME=1x BENCHFLAGS=-race; \
	phase "fuzzing, $(FUZZTIME) each" $(MAKE) fuzz; \
	phase "secrets in the history" $(MAKE) secrets; \
	phase "planted mistakes" $(MAKE) bite; \
	phase "Lighthouse" $(MAKE) lighthouse

# PHASES defines phase NAME COMMAND, which runs a command and records its duration. The outermost make that uses it prints
# the table when it ends, also after a failure.
define PHASES
if [ -z "$${PHASES:-}" ]; then \
  export PHASES=yes; \
  $(STEP) "Preparing $(TEST_LOG)" sh -c 'rm -rf $(TEST_LOG) && mkdir -p $(TEST_LOG) && head -c 65536 /dev/zero >$(TEST_LOG)/phases'; \
  : >$(TEST_LOG)/phases; trap '$(MAKE) report' EXIT; \
fi; \
phase() { \
  name=$$1; shift; begun=$$(date +%s); status=0; echo "== $$name"; \
  "$$@" || status=$$?; \
  [ $$status = 0 ] || name="$$name: failed"; \
  printf '%6d s  %s\n' $$(( $$(date +%s) - begun )) "$$name" >>$(TEST_LOG)/phases; \
  return $$status; \
}
endef

.PHONY: report
report:
	@if cat $(TEST_LOG)/*.json >/dev/null 2>&1; then \
	  echo; echo "The slowest tests:"; cat $(TEST_LOG)/*.json | go run $(GOTESTSUM) tool slowest --num 10 --threshold 1ms || true; \
	fi; \
	echo; echo "Seconds of each phase:"; cat $(TEST_LOG)/phases; awk '{sum += $$1} END {printf "%6d s  in all\n", sum}' $(TEST_LOG)/phases

.PHONY: lint
lint: needs-go ## check style, formatting and who imports whom
	@$(STEP) "Building the linter" go run $(LINTER) version
	@$(COMPILE) go run $(LINTER) run --allow-parallel-runners

.PHONY: secrets
secrets: needs-go ## look for secrets in the history of the sources
	@exec $(STEP) "Looking for secrets" go run $(GITLEAKS) git --no-banner --redact .

.PHONY: verify
verify: generate ## check that generated files and go.mod are fresh
	@if ! command -v git >/dev/null; then echo "git is needed. On Debian: apt-get install git"; exit 1; fi; \
	if ! $(GIT) rev-parse --git-dir >/dev/null 2>&1; then \
	  echo "This is not a git checkout, so stale generated files cannot be detected: clone the repository to check them."; \
	  exit 0; \
	fi; \
	new=$$($(GIT) ls-files --others --exclude-standard -- $(GENERATED)); \
	if ! $(GIT) diff --exit-code --stat -- $(GENERATED) || [ -n "$$new" ]; then \
	  if [ -n "$$new" ]; then printf '%s is new\n' $$new; fi; \
	  echo "These generated files were stale and have been rebuilt: review them and git add them."; exit 1; \
	fi
	@exec $(STEP) "Checking go.mod" go mod tidy -diff
	@exec $(STEP) "Checking the modules" go mod verify

.PHONY: generate
generate: needs-go node_modules/.package-lock.json ## rebuild views, CSS and the browser's libraries
	@exec $(STEP) "Generating views" go tool templ generate -path views -log-level error
	@exec $(STEP) "Generating CSS" npm run --silent css

BUILD = go build -buildvcs=false -tags timetzdata -ldflags "-s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)"

.PHONY: build
build: needs-go ## build the static binary bin/credits
	@$(BUILD) -o bin/credits .
	@echo "bin/credits is version $(VERSION)."

# The same source gives the same binaries, byte for byte. SHA256SUMS is for sha256sum --check.
.PHONY: release
release: needs-go ## build bin/release for Linux and macOS, with checksums and a CycloneDX SBOM for each binary
	@rm -rf bin/release; mkdir -p bin/release; \
	for platform in linux-amd64 linux-arm64 darwin-amd64 darwin-arm64; do \
	  file=bin/release/credits-$$platform; \
	  GOOS=$${platform%-*} GOARCH=$${platform#*-} $(STEP) "Building $$file" $(BUILD) -o $$file .; \
	  $(STEP) "Listing its modules" go run $(CYCLONEDX) bin -json -licenses -version $(VERSION) -output $$file.cdx.json $$file; \
	done; \
	cd bin/release; \
	if command -v sha256sum >/dev/null; then sha256sum credits-*; else shasum -a 256 credits-*; fi >SHA256SUMS
	@echo "bin/release has version $(VERSION)."

.PHONY: bench
bench: needs-go ## run the benchmarks; BENCHTIME=5s runs each for longer
	@found=$$(grep -rl --include='*_test.go' '^func Benchmark' handlers models services views locales static | xargs -r -n1 dirname | sort -u); \
	if [ -z "$$found" ]; then echo "There are no benchmarks."; exit 0; fi; \
	table=$$(mktemp); trap 'rm -f "$$table"' EXIT; export BENCH_TABLE="$$table"; \
	go test $(BENCHFLAGS) -timeout 60m -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) -p 1 $$(printf './%s ' $$found); \
	echo; echo "Slowest, middle and fastest round, and how the middle compares:"; cat "$$table"

.PHONY: fuzz
fuzz: needs-go ## run each fuzz test for a minute; FUZZTIME=10m for longer
	@for file in $$(grep -rl --include='*_test.go' '^func Fuzz' handlers models services views locales static); do \
	  for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' "$$file"); do \
	    echo "$$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; \
	  done; \
	done

.PHONY: bite
bite: needs-go node_modules/.package-lock.json ## plant known mistakes in a copy of the sources and check that the tests find each; takes minutes
	@PLANT_MISTAKES=Tests go test -count=1 -v -timeout 90m -run '^TestMistakesAreFound$$' ./handlers/e2e

# As root on Debian it installs the proxies and the clock that some scenarios need; without them these are skipped.
# RUNLEVEL=1 keeps their services from starting.
.PHONY: faults
faults: needs-go ## kill replicas and PostgreSQL, cut networks, fill the disk, move clocks, roll out under load; takes minutes
	@missing=; PATH="$$PATH:/usr/sbin"; \
	for pair in pgbouncer:pgbouncer haproxy:haproxy nginx:nginx-light faketime:faketime; do \
	  command -v "$${pair%:*}" >/dev/null 2>&1 || missing="$$missing $${pair#*:}"; \
	done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  $(STEP) "Updating the list of packages" apt-get update; export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1; \
	  $(STEP) "Installing$$missing with apt-get" apt-get install --yes --no-install-recommends $$missing; \
	fi; \
	FAULTS=1 go test -count=1 -v -timeout 60m -run '^TestFaults$$' ./handlers/e2e

.PHONY: bite-faults
bite-faults: faults ## check that each scenario of make faults falls short with a planted mistake; may take an hour
	@PLANT_MISTAKES=Faults go test -count=1 -v -timeout 120m -run '^TestFaultsFindMistakes$$' ./handlers/e2e

.PHONY: lighthouse
lighthouse: needs-go node_modules/.package-lock.json ## run Lighthouse on the most used pages; fetches it with npx, takes minutes
	@LIGHTHOUSE=1 go test -count=1 -v -timeout 15m -run '^TestLighthouse$$' ./handlers/e2e

.PHONY: screenshots
screenshots: needs-go node_modules/.package-lock.json ## photograph every page into .data/screenshots, and the README's pages into static/img
	@mkdir -p .data/screenshots static/img
	@SCREENSHOTS="$(CURDIR)/.data/screenshots" go test -count=1 -timeout 20m -run '^(TestStates|TestServerErrorStates|Test[A-Za-z]*InTheBrowser|TestCrawl|TestReadmeScreenshots)$$' ./handlers/e2e

.PHONY: docker
docker: ## build the container image credits
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --tag credits .

.PHONY: clean
clean: ## remove builds and downloads, but never the data in .data
	@rm -rf bin .data/bin node_modules

.PHONY: needs-go
needs-go:
	@sh .make/needs-go.sh

# Not npm ci: it rejects a lock file that lacks other platforms' packages, and which exist depends on the registry. npm
# install also installs the locked versions and verifies their checksums.
node_modules/.package-lock.json: package.json package-lock.json
	@command -v npm >/dev/null || { echo "Node.js 20 or newer is needed. On Debian: apt-get install nodejs npm"; exit 1; }
	@exec $(STEP) "Installing the pinned browser libraries" npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=warn \
	  --fetch-retry-maxtimeout=10000
	@touch $@

# Built here so that no test's time includes the first build.
CONFORMANCE_DIR := services/sandbox/stripe/testdata/conformance
CONFORMANCE     := env GOFLAGS="-buildvcs=false -trimpath" $(STEP)
.PHONY: conformance
conformance: needs-go
	@exec $(CONFORMANCE) "Building Stripe's mock, for the tests to compare with" go tool -C $(CONFORMANCE_DIR) -n stripe-mock

# The tests find a PostgreSQL or download one; an installed one is faster, and root can install it.
.PHONY: tools
tools: needs-go
	@any() { for name; do if command -v "$$name" >/dev/null 2>&1; then return 0; fi; done; return 1; }; \
	missing=; \
	any $(BROWSERS) || missing="$$missing $(HEADLESS) fonts-liberation"; \
	any "$$(go env CC)" || missing="$$missing gcc libc6-dev"; \
	any node || missing="$$missing nodejs"; \
	any npm || missing="$$missing npm"; \
	any git || missing="$$missing git"; \
	any python3 || missing="$$missing python3"; \
	if [ "$$(id -u)" = 0 ] && any apt-get && [ -z "$${POSTGRES_BIN_DIR:-}$${TEST_DATABASE_URL:-}" ]; then \
	  any postgres /usr/lib/postgresql/*/bin/postgres || missing="$$missing postgresql"; \
	fi; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! any apt-get; then echo "The tests need these programs, by their names in Debian:$$missing"; exit 1; fi; \
	install="apt-get install --yes --no-install-recommends$$missing"; \
	if [ "$$(id -u)" = 0 ]; then $(STEP) "Updating the list of packages" apt-get update; fi; \
	apt-cache show $(HEADLESS) >/dev/null 2>&1 || install=$$(echo "$$install" | sed 's/ $(HEADLESS)/ chromium/'); \
	if [ "$$(id -u)" != 0 ]; then echo "The tests need programs that only root can install: sudo $$install"; exit 1; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	$(STEP) "Installing$$missing with apt-get" $$install
	@if [ "$$(node -p 'parseInt(process.versions.node)')" -ge 20 ]; then exit 0; fi; \
	install="npm install --global node@$(NODE)"; \
	if [ "$$(id -u)" != 0 ]; then echo "Node.js 20 or newer is needed, and this is $$(node --version): sudo $$install"; exit 1; fi; \
	exec $(STEP) "Installing Node.js $(NODE), because this machine's $$(node --version) is too old" $$install
