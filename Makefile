# Every target installs what it needs, once; nothing is downloaded when tests or the program run.
# Tools are in .tools/bin, at the versions below; scripts/install-minio.sh pins MinIO.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GOLANGCI_LINT := v2.15.0
GOTESTSUM     := v1.13.0
# v1.9.0 needs a golang.org/x/telemetry that not every module proxy serves.
GOVULNCHECK   := v1.8.0

BIN    := .tools/bin
AUDIT  := e2e/httpaudit
OIDC   := e2e/oidc
CLIENTS := e2e/clients
ROUTER := e2e/federation
WEB := web
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# A package's tests share two cores with the race detector, a browser and MinIO.
TEST_TIMEOUT ?= 15m
FUZZ_SECONDS ?= 5
FULL_FUZZ_SECONDS ?= 120

# Names with the version, so that a changed version builds the tool again.
stamp_lint  := .tools/golangci-lint-$(GOLANGCI_LINT)
stamp_sum   := .tools/gotestsum-$(GOTESTSUM)
stamp_vuln  := .tools/govulncheck-$(GOVULNCHECK)
stamp_audit := $(AUDIT)/node_modules/.package-lock.json
stamp_oidc  := $(OIDC)/node_modules/.package-lock.json
stamp_clients := $(CLIENTS)/node_modules/.package-lock.json
stamp_router := $(ROUTER)/node_modules/.package-lock.json
stamp_web := $(WEB)/node_modules/.package-lock.json

export PATH := $(CURDIR)/.tools/node/node_modules/node/bin:$(PATH)

# install MODULE@VERSION: with an explicit version, go neither reads nor changes this module's go.mod.
install = mkdir -p $(BIN) && echo "building $(1) into $(BIN) (once)" >&2 && GOBIN=$(CURDIR)/$(BIN) GOFLAGS= go install -trimpath $(1)

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: dev
dev: ## Start a gateway, an object store and the example application on loopback.
	go run . dev

.PHONY: build
build: ## Build ./cloakroom, one static program.
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X github.com/cloakroomhq/cloakroom/gateway.Version=$(VERSION)' -o cloakroom .

# ---- set-up ----

.PHONY: tools
tools: packages modules minio $(stamp_sum) $(stamp_audit) $(stamp_oidc) $(stamp_clients) $(stamp_router) $(stamp_web) ## Install everything that the tests need.

.PHONY: packages
packages:
	@scripts/install-packages

# Tests build programs in other modules. They need all modules that tidying this one needs.
.PHONY: modules
modules: ## Fetch all modules that the program and the tests are built from.
	@go mod download
	@go mod tidy -diff > /dev/null || echo "go.mod is not tidy: make lint says why" >&2

.PHONY: minio
minio:
	@scripts/install-minio.sh

$(stamp_sum):
	@$(call install,gotest.tools/gotestsum@$(GOTESTSUM))
	@touch $@

$(stamp_lint):
	@$(call install,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT))
	@touch $@

$(stamp_vuln):
	@$(call install,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK))
	@touch $@

$(stamp_audit) $(stamp_oidc) $(stamp_clients) $(stamp_router) $(stamp_web): %/node_modules/.package-lock.json: %/package-lock.json | packages
	npm ci --prefix $* --no-progress
	@touch $@

# ---- tests ----

.PHONY: test
test: tools ## Run every test, race detector on; installs what the tests need.
	cd $(AUDIT) && node --test
	CGO_ENABLED=1 $(BIN)/gotestsum --format pkgname --format-hide-empty-pkg -- -race -count=1 -timeout $(TEST_TIMEOUT) ./...

# Chosen by time: what needs a browser, MinIO or another program takes minutes, and so do tests that fill a disk.
SLOW_PACKAGES := /(bench|docs|e2e|examples|internal/objects|web)(/|$$)
SLOW_TESTS    := FullDisk|DiskFills|GrantsAgainstReference|Recipe

.PHONY: check
check: ## Vet, and run the tests that need no browser, no MinIO and no race detector: for every change, under three minutes.
	go vet ./...
	go test -skip '$(SLOW_TESTS)' $$(go list ./... | grep -vE '$(SLOW_PACKAGES)')

# The checks that are too long for "make test": each target is fuzzed for minutes, each benchmark runs once, and the embedded
# store is attacked by 8,000 connections.
.PHONY: full
full: test ## Run every test, then fuzz for minutes, and run every benchmark once.
	go test -tags full -count=1 -run Recipe ./models
	go test -run '^$$' -bench . -benchtime 1x ./...
	go run ./bench -only store
	scripts/fuzz $(FULL_FUZZ_SECONDS)

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZ_SECONDS (5).
	scripts/fuzz $(FUZZ_SECONDS)

.PHONY: bench
bench: ## Measure against a bare gqlgen server; see bench/README.md.
	go run ./bench

# ---- checks ----

.PHONY: lint
lint: $(stamp_lint) ## Check the code and the layers with golangci-lint, and that go.mod is tidy.
	go mod tidy -diff
	$(BIN)/golangci-lint run ./...
	GOLANGCI_LINT=$(CURDIR)/$(BIN)/golangci-lint scripts/check-layers

.PHONY: vulnerabilities
vulnerabilities: $(stamp_vuln) ## Check that the code reaches no known vulnerability.
	scripts/check-vulnerabilities $(BIN)/govulncheck

.PHONY: licences
licences: ## Check that no copyleft module is linked.
	go run ./scripts/check-licences

.PHONY: generate
generate: generate-graph generate-web ## Generate the executor, the browser client's types, and the playground's bundle.

.PHONY: generate-graph
generate-graph: ## Generate the executors from their schemas: the gateway's, the examples', the benchmark's and those of tests.
	go generate ./graph ./directives/... ./examples/... ./bench/... ./e2e/...

.PHONY: generate-web
generate-web: packages ## Generate the browser client's types from the schema, and build it and the playground's bundle.
	cd web && npm ci --no-progress && npm run generate && npm run check && npm run build

.PHONY: check-generated
check-generated: check-graph check-bundle ## Generate all, and fail if the result differs from the committed files.

.PHONY: check-graph
check-graph:
	scripts/check-generated graph directives examples bench/list e2e/federation/subgraphs -- $(MAKE) --no-print-directory generate-graph

.PHONY: check-bundle
check-bundle:
	scripts/check-generated web/dist web/client/src/generated -- $(MAKE) --no-print-directory generate-web

.PHONY: clean
clean: ## Remove built and installed files; data stays.
	rm -rf .tools cloakroom web/node_modules web/client/dist web/client/.test $(AUDIT)/node_modules $(OIDC)/node_modules $(CLIENTS)/node_modules $(ROUTER)/node_modules e2e/artifacts
