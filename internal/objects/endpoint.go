package objects

import (
	"context"
	"errors"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucketPattern matches bucket names that S3 allows (docs: "General purpose bucket naming rules").
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// resolveBase returns the base URL of a bucket's objects by the SDK's endpoint rules: AWS partitions,
// path style or virtual hosts, custom endpoints with ports and base paths. An empty endpoint is the
// region's AWS endpoint.
func resolveBase(ctx context.Context, endpoint, bucket, region string, pathStyle bool) (string, error) {
	if !bucketPattern.MatchString(bucket) {
		return "", errors.New("objects: the bucket's name is missing or not valid")
	}
	e, err := s3.NewDefaultEndpointResolverV2().ResolveEndpoint(ctx, s3.EndpointParameters{
		Bucket: &bucket, Region: &region, Endpoint: nilIfEmpty(endpoint), ForcePathStyle: &pathStyle,
	})
	if err != nil {
		return "", errors.New("objects: the endpoint and region are not those of an S3 store")
	}
	return e.URI.String(), nil
}

func nilIfEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return aws.String(s)
}
