# What one types while working on Latchkey. `make` alone lists it.

GO ?= go
FUZZTIME ?= 10s
RIGS = ^Test(Simulation|Model|Timing|EveryMoment)
STATICCHECK = $(GO) tool -modfile=tools/go.mod staticcheck

.DEFAULT_GOAL := help
.PHONY: help run build test test-long test-soak screenshots bench bench-full bench-functions lint deps config-table clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, and start a server on ./data
	@exec ./bin/latchkey serve

build: ## one static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/latchkey ./cmd/latchkey

test: deps lint ## everything a change must pass, on SQLite and PostgreSQL
	CGO_ENABLED=1 $(GO) test -race ./...
	@CGO_ENABLED=1 $(GO) test -race -v -run '^TestFigures$$' ./rigs/browser | awk '/first byte/ || $$1 ~ "^/"'
	./scripts/verify-node.sh
	cd examples/verify-go && $(GO) test ./...

test-long: deps ## the proving rigs at length, then every fuzz target for FUZZTIME: a quarter of an hour
	LATCHKEY_RIG=long CGO_ENABLED=1 $(GO) test -race -timeout 30m ./rigs
	LATCHKEY_RIG=long $(GO) test -timeout 30m -run '$(RIGS)' ./internal/auth
	./scripts/fuzz.sh $(FUZZTIME)

test-soak: deps ## the same at length, an hour or more: see docs/reliability.md
	LATCHKEY_RIG=soak $(GO) test -timeout 0 -v ./rigs
	LATCHKEY_RIG=soak $(GO) test -timeout 0 -v -run '$(RIGS)' ./internal/auth
	LATCHKEY_RIG=soak $(GO) test -timeout 0 -v -run '^TestSmoke$$' ./bench
	./scripts/fuzz.sh 60s

screenshots: deps ## every page and mail on phone and desktop, light and dark, into bin/screenshots
	LATCHKEY_SCREENSHOTS=$(CURDIR)/bin/screenshots $(GO) test -count=1 -run '^TestEveryPageFits$$' ./rigs/browser

bench: deps ## load the server on both engines for some minutes, and write bench/report.md
	$(GO) run ./bench -set short

bench-full: deps ## the same at length, with 10 million sessions: hours, and 20 GB of disk
	$(GO) run ./bench -set full

bench-functions: ## Go benchmarks with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l api bench client cmd examples internal rigs $(wildcard *.go)); \
	  if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...

deps: ## what the tests need besides Go: PostgreSQL, a C compiler, curl, Node.js, Chromium, fonts
	@./scripts/deps.sh

config-table: ## write README's configuration table anew from the code
	$(GO) test ./cmd/latchkey -run '^TestReadmeTable$$' -update

clean: ## remove what was built
	rm -rf bin
