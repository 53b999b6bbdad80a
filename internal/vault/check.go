package vault

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/ids"
	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// Bounds of the metadata and of a session id; in bytes, except maxDepth, in levels.
const (
	maxName      = 255
	maxCustom    = 4096
	maxDepth     = 8
	maxSessionID = 1024
)

// checkList bounds the length of a list. In an application's list, a token whose prefix is not accepted is an unknown token
// and not a fault: the application may hold tokens of another gateway.
func checkList(n, limit int, list Param) error {
	if n == 0 {
		return fault.New(fault.BadUserInput, "The list is empty.").At(list)
	}
	if n > limit {
		return fault.New(fault.LimitExceeded, "The list has %d entries; at most %d are allowed.", n, limit).At(list)
	}
	return nil
}

func (v *Vault) checkPrefix(token ids.Token) error {
	if !slices.Contains(v.opts.Prefixes, token.Prefix()) {
		return fault.New(fault.BadUserInput, "Not a token of this gateway.")
	}
	return nil
}

func checkSessionID(id string, which Param) error {
	if id == "" || len(id) > maxSessionID || hasControls(id) {
		return fault.New(fault.BadUserInput, "A session id has 1 to %d bytes, none of them control characters.", maxSessionID).
			At(which)
	}
	return nil
}

// grantLife returns the life of a grant: the requested or the default one.
func (v *Vault) grantLife(asked *time.Duration) (time.Duration, error) {
	if asked == nil {
		return v.opts.Limits.DefaultGrant, nil
	}
	if *asked < time.Millisecond {
		return 0, fault.New(fault.BadUserInput, "A grant lasts a millisecond or more.").At("duration")
	}
	if *asked > v.opts.Limits.MaxGrant {
		return 0, fault.New(fault.LimitExceeded, "A grant lasts %s at most.", v.opts.Limits.MaxGrant).At("duration")
	}
	return *asked, nil
}

func (v *Vault) checkInput(in *TokenizeInput) error {
	switch {
	case in.Size == nil && (v.opts.Limits.RequireSize || v.opts.Mode == objects.Client):
		return fault.New(fault.BadUserInput, "This gateway needs the value's size.").At("size")
	case in.Size != nil && *in.Size < 0:
		return fault.New(fault.BadUserInput, "A size is 0 bytes or more.").At("size")
	case in.Size != nil && *in.Size > v.opts.Limits.ObjectSize:
		return v.tooLarge(*in.Size)
	}
	if err := v.checkTTL(in.TTL); err != nil {
		return err
	}
	return fault.At(checkMetadata(in.Metadata), "metadata")
}

func (v *Vault) checkTTL(ttl *time.Duration) error {
	switch {
	case ttl != nil && *ttl < time.Second:
		return fault.New(fault.BadUserInput, "A token lasts a second or more.").At("ttl")
	case ttl != nil && *ttl > v.opts.Limits.MaxTTL:
		return fault.New(fault.LimitExceeded, "A token with a ttl lasts %s at most.", v.opts.Limits.MaxTTL).At("ttl")
	}
	return nil
}

// tooLarge is the fault for a value that one upload can't take; it names beginUpload if that can.
func (v *Vault) tooLarge(size int64) error {
	if size <= v.opts.Limits.MultipartSize {
		return fault.New(fault.LimitExceeded, "A value of %d bytes is too large for one upload: use beginUpload, which uploads it in parts.", size).At("size")
	}
	return fault.New(fault.LimitExceeded, "A value has %d bytes at most.", max(v.opts.Limits.ObjectSize, v.opts.Limits.MultipartSize)).At("size")
}

func checkMetadata(m *Metadata) error {
	if m == nil {
		return nil
	}
	if n := m.Filename; n != nil && (*n == "" || len(*n) > maxName || hasControls(*n) || strings.ContainsAny(*n, `/\`)) {
		return fault.New(fault.BadUserInput,
			"A filename has 1 to %d bytes, without slashes or control characters.", maxName).At("filename")
	}
	if t := m.ContentType; t != nil && objects.ContentType(*t) != *t {
		return fault.New(fault.BadUserInput, "contentType must be a media type, for example text/plain.").At("contentType")
	}
	if m.Custom == nil {
		return nil
	}
	if depth(m.Custom) > maxDepth {
		return fault.New(fault.LimitExceeded, "custom nests %d levels at most.", maxDepth).At("custom")
	}
	if b, err := json.Marshal(m.Custom); err != nil || len(b) > maxCustom {
		return fault.New(fault.LimitExceeded, "custom has %d bytes of JSON at most.", maxCustom).At("custom")
	}
	return nil
}

func hasControls(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

// depth returns how deep v nests; it stops one level above maxDepth.
func depth(v any) int { return depthFrom(v, 1) }

func depthFrom(v any, level int) int {
	deepest := level
	if level > maxDepth {
		return deepest
	}
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			deepest = max(deepest, depthFrom(e, level+1))
		}
	case []any:
		for _, e := range v {
			deepest = max(deepest, depthFrom(e, level+1))
		}
	default:
		return level - 1
	}
	return deepest
}
