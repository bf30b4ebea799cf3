# What one types while working on Latchkey. `make` alone lists it.

GO ?= go
FUZZTIME ?= 10s
RIGS = ^Test(Simulation|Model|Timing|EveryMoment|StrangersCampaign)
TOOL = $(GO) tool -modfile=$(CURDIR)/tools/go.mod
MODULES = . bench
# Looking for races inside SQLite's translation to Go, which is not ours, would make each of its statements several times as slow.
RACE = -race -gcflags='github.com/ncruces/go-sqlite3-wasm/...=-race=false'

.DEFAULT_GOAL := help
.PHONY: help run build sdk test test-long test-soak check vulnerabilities screenshots bench bench-full bench-functions lint deps config-table answers-table clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build, and start a server on ./data
	@exec ./bin/latchkey serve

build: ## one static binary in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/latchkey ./cmd/latchkey

sdk: deps ## the package that apps load: from sdk/js into internal/sdk/files
	cd sdk/js && npm run --silent build

check: lint ## lint, and what one process shows on SQLite: for every save
	$(GO) test -short -skip '$(RIGS)|^Test(Examples|SecretFiles)$$' . ./api/... ./client/... ./cmd/... ./internal/...

test: deps lint ## everything a change must pass, on SQLite and PostgreSQL
	for module in $(MODULES); do (cd $$module && CGO_ENABLED=1 $(GO) test $(RACE) -timeout 30m ./...) || exit 1; done
	@CGO_ENABLED=1 $(GO) test $(RACE) -timeout 30m -v -run '^TestFigures$$' ./rigs/browser | awk '/first byte/ || $$1 ~ "^/"'
	cd sdk/js && npm test --silent

test-long: deps ## the proving rigs at length, then every fuzz target for FUZZTIME: half an hour
	LATCHKEY_RIG=long CGO_ENABLED=1 $(GO) test $(RACE) -timeout 50m ./rigs
	LATCHKEY_RIG=long $(GO) test -timeout 30m -run '^TestEvery(Page|Mail)Fits$$' ./rigs/browser
	LATCHKEY_RIG=long $(GO) test -timeout 30m -run '$(RIGS)' ./internal/auth ./internal/rotation
	./scripts/fuzz.sh $(FUZZTIME)

test-soak: deps ## the same at length, an hour or more: see docs/reliability.md
	LATCHKEY_RIG=soak $(GO) test -timeout 0 -v ./rigs
	LATCHKEY_RIG=soak $(GO) test -timeout 0 -v -run '$(RIGS)' ./internal/auth ./internal/rotation
	LATCHKEY_RIG=soak $(GO) test -timeout 30m -v -parallel 5 -run '^Test(Engines|TwoHours)$$' ./rigs/sdk
	cd bench && LATCHKEY_RIG=soak $(GO) test -timeout 0 -v -run '^TestSmoke$$' .
	./scripts/fuzz.sh 60s

screenshots: deps ## every page and mail on phone and desktop, light and dark, into bin/screenshots
	LATCHKEY_SCREENSHOTS=$(CURDIR)/bin/screenshots $(GO) test -count=1 -run '^Test(EveryPageFits|AppsByKeyboardAlone)$$' ./rigs/browser

bench: deps ## load the server on both engines for some minutes, and write bench/report.md
	cd bench && $(GO) run . -set short

bench-full: deps ## the same at length, with 10 million sessions: hours, and 20 GB of disk
	cd bench && $(GO) run . -set full

bench-functions: ## Go benchmarks with allocations
	$(GO) test -run '^$$' -bench . -benchmem ./...

lint: ## gofmt, vet, staticcheck, switches that forget a constant, errors compared though wrapped, spelling
	@unformatted=$$(gofmt -l api bench client cmd examples internal rigs tools $(wildcard *.go)); \
	  if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted; exit 1; fi
	cd tools && $(GO) build -o ../bin/lint ./lint
	for module in $(MODULES); do (cd $$module && $(GO) vet ./... && \
	  $(GO) vet -vettool=$(CURDIR)/bin/lint ./... && $(TOOL) staticcheck ./...) || exit 1; done
	@$(TOOL) misspell -error -i adress $$(git ls-files '*.go' '*.ts' '*.md' '*.html' '*.yaml' '*.sh' '*/en.toml')

vulnerabilities: ## what the Go vulnerability database says of this code: needs https://vuln.go.dev
	for module in $(MODULES); do (cd $$module && $(TOOL) govulncheck ./...) || exit 1; done

deps: ## what the tests need besides Go: PostgreSQL, a C compiler, curl, Node.js, browsers, fonts, Apache
	@./scripts/deps.sh

config-table: ## write docs/configuration.txt anew from the code
	$(GO) test ./cmd/latchkey -run '^TestConfigurationReference$$' -update

answers-table: ## write docs/answers.csv, the API's answers and their tests, anew from the code
	$(GO) test ./internal/server -run '^TestEveryAnswerHasATest$$' -update

clean: ## remove what was built
	rm -rf bin
