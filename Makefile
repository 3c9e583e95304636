# make run    build and start everything in the sandbox: needs only Go and make
# make test   install what the tests need, then run every test
# make lint   gofmt, go vet and staticcheck with its default checks
# make fuzz   longer runs of the property and fuzz tests, some minutes

export CGO_ENABLED ?= 0
GO ?= go

.PHONY: build run test lint fuzz clean

build:
	$(GO) build -trimpath -o bin/tracker ./cmd/tracker

run: build
	@TRACKER_SANDBOX=$${TRACKER_SANDBOX:-true} TRACKER_WEBHOOK_ALLOW_PRIVATE=$${TRACKER_WEBHOOK_ALLOW_PRIVATE:-true} exec ./bin/tracker serve

# The race detector needs cgo. One PostgreSQL serves all packages; .ci/postgres
# starts it, hands its address to the command and ends it afterwards. Packages
# come one after the other: several start browsers and whole clusters.
test: lint
	.ci/install
	CGO_ENABLED=1 $(GO) build -race ./...
	CGO_ENABLED=1 .ci/postgres $(GO) test -race -shuffle=on -p=1 -parallel=4 -timeout=40m ./...

lint:
	@test -z "$$(gofmt -l cmd orders payments notify web config)" || { gofmt -l cmd orders payments notify web config; echo "gofmt would change these files"; exit 1; }
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2 ./...

fuzz:
	CGO_ENABLED=1 .ci/fuzz

clean:
	rm -rf bin .cache .artifacts
