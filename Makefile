# citygrid: every command that a developer or a new user needs.
# "make help" lists them. Each does its own set-up; a second run is instant.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO      ?= go
NPM     ?= npm
WEB     := dashboards/web
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# The version comes from git describe; a checkout that belongs to somebody else
# (a container) must build too.
BUILD   := $(GO) build -buildvcs=false -trimpath

# What the binaries are made of. Tests and the tool modules are not part of it.
GO_SRC  := $(shell find . -name '*.go' -not -name '*_test.go' -not -path './tools/*' -not -path './$(WEB)/node_modules/*' 2>/dev/null) \
           $(shell find adapters schemas broker-config dashboards/grafana hub simulators -type f -not -path '*/testdata/*' \( -name '*.yaml' -o -name '*.json' -o -name '*.sql' -o -name '*.tmpl' -o -name '*.csv' \) 2>/dev/null) go.mod go.sum
WEB_SRC := $(shell find $(WEB) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
PAGES   := $(WEB)/dist/index.html

## help: list the commands
.PHONY: help
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## demo: a whole living city on this machine, with its pages and sample users (DEMO_ARGS="--meters 50")
.PHONY: demo
demo: build
	bin/citygrid demo $(DEMO_ARGS)

# internal/city builds and runs the real programs, which Go's test cache cannot
# see: it runs anew each time, and alone, because it kills and times processes.

## test: every test, with the real servers; installs Debian's mosquitto and chromium if run as root
.PHONY: test
test: build packages open311 alarms
	$(GO) test -timeout 15m $$($(GO) list ./... | grep -v -e /internal/city$$ -e /internal/chaos$$)
	$(GO) test -timeout 20m -count=1 -p 1 ./internal/city ./internal/chaos
	cd $(WEB) && $(NPM) test

## alarms: the alarm rules for Prometheus, tried with its own query engine
.PHONY: alarms
alarms:
	cd tools/promrules && $(GO) vet . && $(GO) test .

## check: what must be clean before a change lands: lint, then all tests under the race detector
.PHONY: check
check: lint build packages open311
	$(GO) test -race -timeout 30m $$($(GO) list ./... | grep -v -e /internal/city$$ -e /internal/chaos$$)
	$(GO) test -race -timeout 30m -count=1 -p 1 ./internal/city ./internal/chaos
	cd $(WEB) && $(NPM) run check && $(NPM) test

## lint: gofmt, vet, staticcheck, import policy
.PHONY: lint
lint: bin/staticcheck
	@files=$$(find . -name '*.go' -not -path '*/node_modules/*'); unformatted=$$(gofmt -l $$files); if [ -n "$$unformatted" ]; then echo "gofmt needed: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	bin/staticcheck ./...
	$(GO) test ./internal/imports

## bench: time and allocations of decode, seal, open, spool append, line protocol
.PHONY: bench
bench: bin/influxd
	$(GO) test -run '^$$' -bench . -benchmem ./schemas/... ./adapters/... ./collector/... ./hub/... ./simulators/...

## screenshots: pictures of every page of the demo, light and dark, into screenshots/
.PHONY: screenshots
screenshots: build packages
	bin/citygrid demo --then 'cd $(WEB) && node e2e/screenshots.mjs $$URL $(CURDIR)/screenshots'

## bench-api: the API that the pages ask, over 100,000 meters, 20,000 cells and 200,000 cases; the databases stay in .bench/
.PHONY: bench-api
bench-api:
	CITY_BENCH=$(CURDIR)/.bench $(GO) test -run '^$$' -bench BenchmarkAPI -benchtime 1x -timeout 60m ./hub/api

## bench-pages: first view, frames a second and bytes of the city page with 20,000 cells, in headless Chromium
.PHONY: bench-pages
bench-pages: build packages
	bin/citygrid demo --cells 20000 --components 60000 --then 'cd $(WEB) && node e2e/speed-city.mjs $$URL'

## chaos: 500 seeded trials of the whole river under faults, 0 lost, duplicated or wrong (CHAOS_ARGS="--trials 1 --seed 7" for one again)
.PHONY: chaos
chaos: build
	bin/citygrid chaos --trials 500 --json chaos.json $(CHAOS_ARGS)

## adversary: what attackers can do at hub, collector, broker and API: case, tries, accepted (0), counted
.PHONY: adversary
adversary:
	$(GO) test -count=1 -v -timeout 15m -run TestAdversaries ./internal/adversary

## vuln: known vulnerabilities in the code that the programs reach (govulncheck; says so and ends where its database cannot be reached)
VULN_DB ?= https://vuln.go.dev
.PHONY: vuln
vuln:
	@if ! curl -fsS -m 10 -o /dev/null $(VULN_DB)/index/db.json; then \
	  echo "skipped: $(VULN_DB) cannot be reached; docs/dependencies-check.md says how versions were checked instead"; exit 0; fi; \
	$(GO) run golang.org/x/vuln/cmd/govulncheck@v1.1.4 -db $(VULN_DB) ./...

## soak: ten million values through every kind of line and fault, each held against the oracle (SOAK_ARGS="--values 1000000")
SOAK_FAULTS := late=0.1%,split=0.5%,torn=0.1%,duplicate=0.5%,wrong-unit=0.2%,wrong-slave=0.2%,wrong-checksum=0.2%,busy=0.2%,failure=0.2%,gateway-timeout=0.2%,exception=0.2%,slow=0.2%,reboot=0.02%,noise=0.5%,same-address=0.2%,echo=0.2%,dead=1%,reset=5%,swap=5%,clock-jump=5%,glitch=0.1%,late-by=700ms,slow-by=50ms,reboot-for=1s
.PHONY: soak
soak: bin/citygrid
	bin/citygrid soak --meters 1920 --per-gateway 10 --serial-lines 60 --stream-lines 60 --per-line 4 --baud -1 --turnaround 1ms \
	  --step 50ms --values 10000000 --faults $(SOAK_FAULTS) --json soak.json $(SOAK_ARGS)

## year: a year of 100,000 prepaid meters through the books: every injected discrepancy found, nothing else (YEAR_ARGS="--places 2000")
.PHONY: year
year: bin/citygrid
	bin/citygrid year --places 100000 --discrepancies 6000 --json year.json $(YEAR_ARGS)

## year-grid: a year of 201,000 cases through the workflow: nothing allowed is refused, nothing else taken, every indicator equals the truth
.PHONY: year-grid
year-grid: bin/citygrid
	bin/citygrid year grid --cases 201000 --json year-grid.json $(YEAR_ARGS)

## bench-ledger: reconciling a month of 0.1, 0.3, 1 and 3 million card entries, on SQLite and PostgreSQL (LEDGER_ENTRIES=100000)
LEDGER_ENTRIES ?= 100000,300000,1000000,3000000
.PHONY: bench-ledger
bench-ledger:
	LEDGER_ENTRIES=$(LEDGER_ENTRIES) $(GO) test -run '^$$' -bench Month -benchtime 1x -timeout 90m ./hub/ledger/books

## bench-peers: reading and storing beside Telegraf v1.39.3, on the same meters, Mosquitto and InfluxDB; builds it first (PEERS_ARGS="--only storing")
.PHONY: bench-peers
bench-peers: build packages bin/telegraf
	bin/citygrid bench-peers --json bench-peers.json $(PEERS_ARGS)

# The parts of Telegraf that the comparison uses; about two minutes, once.
TELEGRAF := 1.39.3
bin/telegraf: tools/telegraf/parts
	GOBIN=$(CURDIR)/bin CGO_ENABLED=0 $(GO) install -tags "custom,$$(paste -sd, $<)" \
	  -ldflags "-s -w -X github.com/influxdata/telegraf/internal.Version=$(TELEGRAF)" github.com/influxdata/telegraf/cmd/telegraf@v$(TELEGRAF)
	@touch $@

## bench-outage: the broker of a running city is away for ten minutes at 2,000 readings/s: how the backlog drains beside live readings (OUTAGE_ARGS="--outage 1m --part hub")
.PHONY: bench-outage
bench-outage: build
	bin/citygrid bench-outage --json bench-outage.json $(OUTAGE_ARGS)

## fuzz: run every fuzz target for FUZZTIME (default 20s) each
FUZZTIME ?= 20s
.PHONY: fuzz
fuzz:
	@for pkg in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "== $$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzzminimizetime 10x -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

## build: bin/citygrid, bin/collector, bin/influxd and the pages
.PHONY: build
build: bin/citygrid bin/collector bin/influxd

bin/citygrid: $(GO_SRC) $(PAGES)
	$(BUILD) -ldflags '$(LDFLAGS)' -o $@ ./cmd/citygrid

bin/collector: $(GO_SRC)
	CGO_ENABLED=0 $(BUILD) -ldflags '$(LDFLAGS)' -o $@ ./cmd/collector

# InfluxDB 1.8 from its Go module; about a minute, once.
bin/influxd: tools/influxd/go.mod tools/influxd/go.sum
	cd tools/influxd && CGO_ENABLED=0 $(BUILD) -ldflags '-s -w' -o ../../$@ github.com/influxdata/influxdb/cmd/influxd
	@touch $@

bin/staticcheck: tools/lint/go.mod tools/lint/go.sum
	cd tools/lint && $(BUILD) -o ../../$@ honnef.co/go/tools/cmd/staticcheck
	@touch $@

## pages: build the web pages into dashboards/web/dist
.PHONY: pages
pages: $(PAGES)

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && $(NPM) ci --no-audit --no-fund
	@touch $@

$(PAGES): $(WEB)/node_modules/.package-lock.json $(WEB_SRC)
	cd $(WEB) && $(NPM) run build
	@touch $@

# Debian packages that some tests need. Only as root, only what is missing,
# and it says so; anybody else gets those tests skipped with the reason.
.PHONY: packages
packages:
	@missing=""; \
	command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || missing="$$missing mosquitto"; \
	command -v chromium  >/dev/null || missing="$$missing chromium fonts-wqy-microhei"; \
	command -v mbpoll    >/dev/null || missing="$$missing mbpoll"; \
	/usr/bin/python3 -c 'import pymodbus, serial_asyncio' 2>/dev/null || missing="$$missing python3-pymodbus python3-serial-asyncio"; \
	[ -x /usr/sbin/pcscd ] || missing="$$missing pcscd"; \
	ls /usr/lib/pcsc/drivers/serial/libifdvpcd.so >/dev/null 2>&1 || missing="$$missing vsmartcard-vpcd"; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	ls /usr/lib/*/libmodbus.so.5 >/dev/null 2>&1 || missing="$$missing libmodbus5"; \
	python3 -m pip --version >/dev/null 2>&1 || missing="$$missing python3-pip"; \
	if [ -n "$$missing" ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing Debian packages for the tests:$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	  else \
	    echo "not installed:$$missing (the tests that need them are skipped, and say so)"; \
	  fi; \
	fi

# Open311 clients that others have published, for one test; without pip it is skipped
# and says so.
.PHONY: open311
open311: packages
	@$(MAKE) --no-print-directory bin/open311 || echo "not installed: the published Open311 clients (the test that needs them is skipped, and says so)"

bin/open311: hub/api/testdata/open311-requirements.txt
	@python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
	  --implementation py --abi none --platform any --upgrade --target $@ -r $<
	@touch $@

## collectors: cross-compile the edge program for the boxes in the field
.PHONY: collectors
collectors:
	@for t in amd64 arm64 arm mipsle; do \
	  echo "bin/collector-linux-$$t"; \
	  GOOS=linux GOARCH=$$t GOARM=7 GOMIPS=softfloat CGO_ENABLED=0 $(BUILD) -ldflags '$(LDFLAGS)' -o bin/collector-linux-$$t ./cmd/collector; \
	done

## clean: remove what was built
.PHONY: clean
clean:
	rm -rf bin $(WEB)/node_modules
	find $(WEB)/dist -type f ! -name placeholder.html -delete 2>/dev/null || true
