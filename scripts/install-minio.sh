#!/bin/sh
# Builds the pinned MinIO into .tools/bin, for the tests that talk to a real S3 store.
# MinIO is under the AGPL: it runs as a separate process and is never linked.
set -eu

# MinIO tags no module versions; this was @latest when it was pinned (2026-02-12).
version=v0.0.0-20260212201848-7aac2a2c5b7c

root=$(cd "$(dirname "$0")/.." && pwd)
bin=$root/.tools/bin

if [ -x "$bin/minio" ] && go version -m "$bin/minio" | grep -q "$version"; then
    exit 0
fi
mkdir -p "$bin"
echo "building minio $version into .tools/bin (some minutes, once)" >&2
# With an explicit version, go install neither reads nor changes our go.mod.
GOBIN=$bin GOFLAGS= go install "github.com/minio/minio@$version"
