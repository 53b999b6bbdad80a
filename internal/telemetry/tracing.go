package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/cloakroomhq/cloakroom/config"
)

// NewTracer returns a tracer that sends spans to the configured endpoint (OTLP over HTTP), or one that does nothing if none
// is configured, and a function that stops it.
func NewTracer(ctx context.Context, c config.Tracing, version string) (trace.Tracer, func(context.Context) error, error) {
	if c.Endpoint == "" {
		return noop.NewTracerProvider().Tracer(""), func(context.Context) error { return nil }, nil
	}
	endpoint := c.Endpoint
	if u, err := url.Parse(endpoint); err == nil && strings.Trim(u.Path, "/") == "" {
		endpoint = u.JoinPath("v1", "traces").String() // the exporter itself would send to the root
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint))
	if err != nil {
		return nil, nil, fmt.Errorf("config: tracing.endpoint: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		// By the ratio alone: a client's traceparent may link a trace, but not force sampling.
		sdktrace.WithSampler(sdktrace.TraceIDRatioBased(c.Ratio)),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "cloakroom"), attribute.String("service.version", version))),
	)
	return provider.Tracer("github.com/cloakroomhq/cloakroom"), provider.Shutdown, nil
}
