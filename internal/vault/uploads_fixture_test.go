package vault_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloakroomhq/cloakroom/internal/objects"
	"github.com/cloakroomhq/cloakroom/internal/vault"
)

const mib = 1 << 20

// parts is the part of a store for uploads in parts. Its maps are by object.
type parts struct {
	lock     sync.Mutex
	begun    map[string]objects.Multipart
	arrived  map[string][]objects.Part
	signed   []objects.PartUpload
	whole    map[string]int64 // sizes of joined objects
	aborted  []string
	refuse   map[string]error // by operation
	before   func(operation string)
	complete int // calls
}

func (p *parts) enter(operation string) error {
	if p.before != nil {
		p.before(operation)
	}
	p.lock.Lock()
	if p.begun == nil {
		p.begun, p.arrived, p.whole = map[string]objects.Multipart{}, map[string][]objects.Part{}, map[string]int64{}
	}
	return p.refuse[operation]
}

func (p *parts) refuses(operation string, err error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.refuse = map[string]error{operation: err}
}

func (p *parts) CreateMultipart(_ context.Context, m objects.Multipart) (string, error) {
	err := p.enter("create")
	defer p.lock.Unlock()
	if err != nil {
		return "", err
	}
	m.ID = fmt.Sprint("upload-", len(p.begun))
	p.begun[m.Object] = m
	return m.ID, nil
}

func (p *parts) SignPart(u objects.PartUpload) (objects.SignedRequest, error) {
	err := p.enter("sign")
	defer p.lock.Unlock()
	p.signed = append(p.signed, u)
	return objects.SignedRequest{Method: "PUT", URL: "https://store.example/part", ExpiresAt: u.NotAfter}, err
}

func (p *parts) known(m objects.Multipart) error {
	if have, ok := p.begun[m.Object]; !ok || have.ID != m.ID || have.Key != m.Key || have.Mode != m.Mode {
		return fmt.Errorf("SECRET: %w", objects.ErrNoUpload)
	}
	return nil
}

func (p *parts) ListParts(_ context.Context, m objects.Multipart) ([]objects.Part, error) {
	err := p.enter("list")
	defer p.lock.Unlock()
	if err == nil {
		err = p.known(m)
	}
	return slices.Clone(p.arrived[m.Object]), err
}

func (p *parts) CompleteMultipart(_ context.Context, m objects.Multipart, list []objects.Part) error {
	err := p.enter("complete")
	defer p.lock.Unlock()
	p.complete++
	if err == nil {
		err = p.known(m)
	}
	if err != nil {
		return err
	}
	if !slices.Equal(list, p.arrived[m.Object]) {
		return objects.ErrParts
	}
	for _, part := range list {
		p.whole[m.Object] += part.Size
	}
	delete(p.begun, m.Object)
	return p.refuse["lose the answer"]
}

func (p *parts) AbortMultipart(_ context.Context, m objects.Multipart) error {
	err := p.enter("abort")
	defer p.lock.Unlock()
	if err == nil {
		delete(p.begun, m.Object)
		p.aborted = append(p.aborted, m.Object+" "+m.ID)
	}
	return err
}

func (p *parts) Size(_ context.Context, m objects.Multipart) (int64, error) {
	err := p.enter("size")
	defer p.lock.Unlock()
	size, ok := p.whole[m.Object]
	if err == nil && !ok {
		err = objects.ErrNoObject
	}
	return size, err
}

func (p *parts) PartLimits() objects.PartLimits {
	return objects.PartLimits{MinSize: 5 * mib, MaxSize: 5 << 30, MaxNumber: 10_000, MaxTotal: 5 << 40}
}

// begin begins an upload, and returns it with its object.
func (f *fixture) begin(t testing.TB, ctx context.Context, in vault.TokenizeInput) (vault.Begun, string) {
	t.Helper()
	known := map[string]bool{}
	for o := range f.store.begun {
		known[o] = true
	}
	b, err := f.BeginUpload(ctx, in)
	require.NoError(t, err)
	for o := range f.store.begun {
		if !known[o] {
			return b, o
		}
	}
	t.Fatal("the store has begun no upload")
	return b, ""
}

// arrive sets the parts that have arrived, from 1 on, by their sizes; a negative size leaves the number out.
func (f *fixture) arrive(object string, sizes ...int64) {
	list := []objects.Part{}
	for i, size := range sizes {
		if size >= 0 {
			list = append(list, objects.Part{Number: i + 1, Size: size, ETag: fmt.Sprint(i)})
		}
	}
	f.store.lock.Lock()
	defer f.store.lock.Unlock()
	f.store.arrived[object] = list
}
