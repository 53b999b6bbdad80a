package embedded

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// BenchmarkDownload measures the handler only: verify, authenticate, decrypt.
func BenchmarkDownload(b *testing.B) {
	for _, size := range []int{100, 64 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newServer(b, nil)
			key := randomKey()
			s.mustPut(b, "a", key, make([]byte, size))
			down, _ := s.SignDownload(objects.Download{Object: "a", Key: key})
			req, _ := wire(down, nil).parse()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s.ServeHTTP(&discardWriter{header: http.Header{}}, req)
			}
		})
	}
}

// BenchmarkVerify measures the cost of a refused and of an accepted request, without the disk.
func BenchmarkVerify(b *testing.B) {
	s := newServer(b, nil)
	down, _ := s.SignDownload(objects.Download{Object: "a"})
	req, _ := wire(down, nil).parse()
	b.ReportAllocs()
	for b.Loop() {
		if _, refused := s.verify(req); refused != nil {
			b.Fatal(refused.message)
		}
	}
}
