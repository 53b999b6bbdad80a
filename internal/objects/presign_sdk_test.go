package objects

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// sdkSide has the configuration of one store, for the SDK and for Presigner.
type sdkSide struct {
	endpoint, bucket, region string
	pathStyle                bool
	creds                    Credentials
}

func (s sdkSide) presignClient() *s3.PresignClient {
	return s3.NewPresignClient(s3.New(s3.Options{
		Region: s.region, UsePathStyle: s.pathStyle,
		BaseEndpoint: nilIfEmpty(s.endpoint),
		Credentials: credentials.NewStaticCredentialsProvider(
			s.creds.AccessKeyID, s.creds.SecretAccessKey, s.creds.SessionToken),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}))
}

// atTime makes the SDK sign with a given time.
type atTime struct {
	*v4.Signer
	now time.Time
}

func (a atTime) PresignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions)) (string, http.Header, error) {
	return a.Signer.PresignHTTP(ctx, c, r, hash, service, region, a.now, opts...)
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func randomText(r *rand.Rand, alphabet string, length int) string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range length {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

const lowerDigits = "abcdefghijklmnopqrstuvwxyz0123456789"

func randomSide(r *rand.Rand) sdkSide {
	s := sdkSide{
		endpoint: pick(r, "", "http://127.0.0.1:9000", "https://s3.example.test", "https://minio.example.test:9443",
			"https://gate.example.test:8443/store/v1", "http://localhost:8081/base", "https://[::1]:9000"),
		bucket: pick(r, "", "a-") + randomText(r, lowerDigits, 3+r.IntN(40)) + pick(r, "", "-9"),
		region: pick(r, "us-east-1", "eu-central-1", "cn-north-1", "us-gov-west-1", "ap-southeast-2"), pathStyle: r.IntN(2) == 0,
		creds: Credentials{
			AccessKeyID:     randomText(r, lowerDigits+"ABC+/=-_~ $", 1+r.IntN(40)) + "x",
			SecretAccessKey: randomText(r, lowerDigits+"ABC+/=é", 1+r.IntN(80)),
		},
	}
	if r.IntN(2) == 0 {
		s.creds.SessionToken = randomText(r, lowerDigits+"ABC+/=", 16+r.IntN(900))
	}
	return s
}

func randomObject(r *rand.Rand) string {
	for {
		key := randomText(r, lowerDigits+"-/", 1+r.IntN(80))
		if ValidObject(key) {
			return key
		}
	}
}

var someTypes = []string{"", "text/plain", "text/plain; charset=utf-8", "image/png", `a/b;q="x y"`,
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "bad", "text/html\r\nX: y", "a/b;c=d; e=f"}

const nameRunes = lowerDigits + "ABC .-_'\"\\/%;=()\r\n\t\x00éßΩж中文🦊\u202e\u200b"

// TestPresignEqualsSDK compares the URLs with those of the SDK, byte for byte.
func TestPresignEqualsSDK(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	requests := 0
	for range 200 {
		side := randomSide(r)
		base, err := resolveBase(context.Background(), side.endpoint, side.bucket, side.region, side.pathStyle)
		require.NoError(t, err)
		ours, err := NewPresigner(PresignOptions{BaseURL: base, Region: side.region, Credentials: side.creds})
		require.NoError(t, err)
		theirs := side.presignClient()
		for range 50 {
			requests++
			now := time.Unix(1_700_000_000+r.Int64N(200_000_000), r.Int64N(1e9))
			expires := time.Duration(1+r.IntN(7*86400)) * time.Second
			sign := func(o *s3.PresignOptions) { o.Expires = expires; o.Presigner = atTime{v4.NewSigner(disable), now} }
			var key CustomerKey
			mode := pick(r, SSEC, Client)
			for i := range key {
				if mode == SSEC {
					key[i] = byte(r.Uint32())
				}
			}
			pick(r, comparePut, comparePart, compareGet, compareHead)(t, r, ours, theirs, side.bucket, mode, key, now, expires, sign)
		}
	}
	t.Logf("%d requests are equal", requests)
}

// disable sets the option that the SDK's S3 client sets on its signer.
func disable(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }

func keyHeaders(mode Mode, k CustomerKey) (algorithm, key, sum *string) {
	if mode == Client {
		return nil, nil, nil
	}
	digest := md5.Sum(k[:])
	return aws.String("AES256"), aws.String(base64.StdEncoding.EncodeToString(k[:])), aws.String(base64.StdEncoding.EncodeToString(digest[:]))
}

func comparePut(t *testing.T, r *rand.Rand, ours *Presigner, theirs *s3.PresignClient, bucket string, mode Mode, k CustomerKey, now time.Time, expires time.Duration, sign func(*s3.PresignOptions)) {
	u := Upload{Object: randomObject(r), Mode: mode, Key: k, Size: pick(r, 0, 1, r.Int64N(1<<40)), ContentType: pick(r, someTypes...)}
	algorithm, key, sum := keyHeaders(mode, k)
	in := &s3.PutObjectInput{Bucket: &bucket, Key: &u.Object, IfNoneMatch: aws.String("*"),
		ContentType: aws.String(ContentType(u.ContentType)), SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum}
	if u.Size > 0 {
		in.ContentLength = &u.Size
	}
	want, err := theirs.PresignPutObject(context.Background(), in, sign)
	require.NoError(t, err)
	got, err := ours.Upload(u, now, expires, "")
	require.NoError(t, err)
	compare(t, want.URL, want.Method, want.SignedHeader, got, ours.Host(), u.Size)
}

func comparePart(t *testing.T, r *rand.Rand, ours *Presigner, theirs *s3.PresignClient, bucket string, mode Mode, k CustomerKey, now time.Time, expires time.Duration, sign func(*s3.PresignOptions)) {
	m := Multipart{Object: randomObject(r), ID: randomText(r, "abcXYZ019._-~=+/%&", 1+r.IntN(200)), Mode: mode, Key: k}
	u := PartUpload{Multipart: m, Number: 1 + r.IntN(10_000), Size: 1 + r.Int64N(1<<33)}
	algorithm, key, sum := keyHeaders(mode, k)
	want, err := theirs.PresignUploadPart(context.Background(), &s3.UploadPartInput{
		Bucket: &bucket, Key: &u.Object, UploadId: &u.ID, PartNumber: aws.Int32(int32(u.Number)), ContentLength: &u.Size,
		SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum,
	}, sign)
	require.NoError(t, err)
	got, err := ours.Part(u, now, expires, "")
	require.NoError(t, err)
	compare(t, want.URL, want.Method, want.SignedHeader, got, ours.Host(), u.Size)
}

func compareGet(t *testing.T, r *rand.Rand, ours *Presigner, theirs *s3.PresignClient, bucket string, mode Mode, k CustomerKey, now time.Time, expires time.Duration, sign func(*s3.PresignOptions)) {
	d := Download{Object: randomObject(r), Mode: mode, Key: k, ContentType: pick(r, someTypes...), Filename: randomText(r, nameRunes, r.IntN(60))}
	algorithm, key, sum := keyHeaders(mode, k)
	want, err := theirs.PresignGetObject(context.Background(), &s3.GetObjectInput{Bucket: &bucket, Key: &d.Object,
		ResponseContentType: aws.String(ContentType(d.ContentType)), ResponseContentDisposition: aws.String(Attachment(d.Filename)),
		SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum}, sign)
	require.NoError(t, err)
	got, err := ours.Download(d, now, expires, "")
	require.NoError(t, err)
	compare(t, want.URL, want.Method, want.SignedHeader, got, ours.Host(), 0)
}

func compareHead(t *testing.T, r *rand.Rand, ours *Presigner, theirs *s3.PresignClient, bucket string, mode Mode, k CustomerKey, now time.Time, expires time.Duration, sign func(*s3.PresignOptions)) {
	in := Request{Method: "HEAD", Object: randomObject(r), Mode: mode, Key: k, ContentType: ContentType(pick(r, someTypes...)), Time: now, Expires: expires}
	algorithm, key, sum := keyHeaders(mode, k)
	want, err := theirs.PresignHeadObject(context.Background(), &s3.HeadObjectInput{Bucket: &bucket, Key: &in.Object,
		ResponseContentType: &in.ContentType, SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum}, sign)
	require.NoError(t, err)
	got, err := ours.Presign(in)
	require.NoError(t, err)
	compare(t, want.URL, want.Method, want.SignedHeader, got, ours.Host(), 0)
}

func compare(t *testing.T, url, method string, signed http.Header, got SignedRequest, host string, size int64) {
	t.Helper()
	require.Equal(t, url, got.URL)
	require.Equal(t, method, got.Method)
	headers := http.Header{"Host": {host}}
	if size > 0 {
		headers.Set("Content-Length", strconv.FormatInt(size, 10))
	}
	for _, h := range got.Headers {
		headers.Set(h.Name, h.Value)
	}
	require.Equal(t, fmt.Sprint(signed), fmt.Sprint(headers))
}

func benchUpload() (sdkSide, Upload) {
	return sdkSide{endpoint: "https://minio.example.test:9000", bucket: "values", region: "us-east-1", pathStyle: true,
			creds: Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}},
		Upload{Object: "v1/0f8fad5b-d9cb-469f-a165-70867728950e", Size: 1234, ContentType: "text/plain"}
}

func BenchmarkPresign(b *testing.B) {
	side, u := benchUpload()
	base, _ := resolveBase(context.Background(), side.endpoint, side.bucket, side.region, true)
	p, err := NewPresigner(PresignOptions{BaseURL: base, Region: side.region, Credentials: side.creds})
	require.NoError(b, err)
	now := time.Now()
	d := Download{Object: u.Object, ContentType: "text/plain", Filename: "report.pdf"}
	b.Run("upload", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = p.Upload(u, now, time.Minute, "")
		}
	})
	b.Run("download", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = p.Download(d, now, time.Minute, "")
		}
	})
	b.Run("sdk-upload", func(b *testing.B) {
		c := side.presignClient()
		algorithm, key, sum := keyHeaders(SSEC, u.Key)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.PresignPutObject(context.Background(), &s3.PutObjectInput{Bucket: &side.bucket, Key: &u.Object, ContentLength: &u.Size,
				ContentType: &u.ContentType, IfNoneMatch: aws.String("*"), SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum})
		}
	})
	b.Run("sdk-download", func(b *testing.B) {
		c := side.presignClient()
		algorithm, key, sum := keyHeaders(SSEC, u.Key)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.PresignGetObject(context.Background(), &s3.GetObjectInput{Bucket: &side.bucket, Key: &u.Object,
				ResponseContentType: &d.ContentType, ResponseContentDisposition: aws.String(Attachment(d.Filename)),
				SSECustomerAlgorithm: algorithm, SSECustomerKey: key, SSECustomerKeyMD5: sum})
		}
	})
}
