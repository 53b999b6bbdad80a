package sqlite

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cloakroomhq/cloakroom/internal/ids"
)

// tokenSet is a set of digests in the form in which a list of grants is stored: ascending, one after the other.
type tokenSet []byte

const digestSize = len(ids.Digest{})

var errNoDigests = errors.New("sqlite: a row does not hold digests")

// newTokenSet returns the set of all. It sorts all in place.
func newTokenSet(all []ids.Digest) tokenSet {
	slices.SortFunc(all, func(a, b ids.Digest) int {
		if c := cmp.Compare(binary.BigEndian.Uint64(a[:]), binary.BigEndian.Uint64(b[:])); c != 0 { // decides between nearly all hashes
			return c
		}
		return bytes.Compare(a[:], b[:])
	})
	all = slices.Compact(all)
	s := make(tokenSet, 0, len(all)*digestSize)
	for i := range all {
		s = append(s, all[i][:]...)
	}
	return s
}

func (s tokenSet) len() int { return len(s) / digestSize }

func (s tokenSet) at(i int) ids.Digest { return ids.Digest(s[i*digestSize:]) }

// search returns the index where a digest is or would be, and whether it is there.
func (s tokenSet) search(id ids.Digest) (int, bool) {
	low, high := 0, s.len()
	for low < high {
		middle := (low + high) / 2
		switch c := bytes.Compare(s[middle*digestSize:(middle+1)*digestSize], id[:]); {
		case c == 0:
			return middle, true
		case c < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return low, false
}

func (s tokenSet) has(id ids.Digest) bool {
	_, ok := s.search(id)
	return ok
}

// within reports whether the other set contains every member.
func (s tokenSet) within(other tokenSet) bool {
	for i := range s.len() {
		at, ok := other.search(s.at(i))
		if !ok {
			return false
		}
		other = other[(at+1)*digestSize:]
	}
	return true
}

// split returns the members for which in is true, and the others.
func (s tokenSet) split(in func(ids.Digest) bool) (matching, others tokenSet) {
	for i := range s.len() {
		if id := s.at(i); in(id) {
			matching = append(matching, id[:]...)
		} else {
			others = append(others, id[:]...)
		}
	}
	return matching, others
}

// buckets splits the set by the first hexadecimal digit.
func (s tokenSet) buckets() (cut []tokenSet) {
	for len(s) > 0 {
		end := digestSize
		for end < len(s) && s[end]>>4 == s[0]>>4 {
			end += digestSize
		}
		cut = append(cut, s[:end:end])
		s = s[end:]
	}
	return cut
}

// bucketOf is the first hexadecimal digit of a digest.
func bucketOf(first byte) string { return "0123456789ABCDEF"[first>>4 : first>>4+1] }

// bucketList returns the buckets of all, as a JSON list.
func bucketList(all []ids.Digest) string {
	var has [16]bool
	b := make([]byte, 0, 64)
	for i := range all {
		if n := all[i][0] >> 4; !has[n] {
			has[n] = true
			b = append(append(append(b, `,"`...), bucketOf(all[i][0])...), '"')
		}
	}
	return jsonArray(b)
}

// members is a set of digests.
type members map[ids.Digest]struct{}

func newMembers(all []ids.Digest) members {
	m := make(members, len(all))
	for _, id := range all {
		m[id] = struct{}{}
	}
	return m
}

func (m members) has(id ids.Digest) bool {
	_, ok := m[id]
	return ok
}
