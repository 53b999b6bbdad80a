package vault

import (
	"context"

	"github.com/cloakroomhq/cloakroom/internal/fault"
	"github.com/cloakroomhq/cloakroom/internal/objects"
)

// segment is the unit of the sizes of parts if clients encrypt: a segment of the ciphertext.
const segment = 1 << 20

// admit refuses values while there is no room for them.
func (v *Vault) admit(ctx context.Context, bytes int64) error {
	if v.opts.Space == nil {
		return nil
	}
	return v.opts.Space.Admit(ctx, bytes)
}

// partLimits returns the limits for clients: those of the store and of the settings.
func (v *Vault) partLimits() objects.PartLimits {
	l := v.opts.Objects.PartLimits()
	if most := v.opts.Limits.PartSize; most > 0 {
		l.MaxSize = min(l.MaxSize, max(most/segment*segment, l.MinSize))
	}
	return l
}

// checkUploadInput is checkInput for an upload in parts.
func (v *Vault) checkUploadInput(in *TokenizeInput) error {
	if in.Size != nil {
		if err := v.checkMultipartSize(*in.Size); err != nil {
			return fault.At(err, "size")
		}
	}
	if err := v.checkTTL(in.TTL); err != nil {
		return err
	}
	return fault.At(checkMetadata(in.Metadata), "metadata")
}

func (v *Vault) checkMultipartSize(size int64) error {
	switch most := v.opts.Limits.MultipartSize; {
	case size < 0:
		return fault.New(fault.BadUserInput, "A size is 0 bytes or more.")
	case size > most || v.opts.Mode.ObjectSize(size) > v.opts.Objects.PartLimits().MaxTotal:
		return fault.New(fault.LimitExceeded, "A value has %d bytes at most.", most)
	case v.opts.Mode.ObjectSize(size) == 0:
		return fault.New(fault.BadUserInput, "A value without bytes has no parts: use tokenize with the size 0.")
	}
	return nil
}

// checkPartInputs returns the sum of the parts' sizes, and what they are charged.
func (v *Vault) checkPartInputs(inputs []PartInput) (bytes, charge int64, err error) {
	if err := checkList(len(inputs), v.opts.Limits.Batch, ParamParts); err != nil {
		return 0, 0, err
	}
	limits := v.partLimits()
	seen := make(map[int]bool, len(inputs))
	for i, p := range inputs {
		switch {
		case p.Number < 1 || p.Number > limits.MaxNumber:
			err = fault.New(fault.BadUserInput, "Parts have the numbers 1 to %d.", limits.MaxNumber).At(ParamParts, i, "number")
		case seen[p.Number]:
			err = fault.New(fault.BadUserInput, "Part %d is listed twice.", p.Number).At(ParamParts, i, "number")
		case p.Size < 1:
			err = fault.New(fault.BadUserInput, "A part has 1 byte or more.").At(ParamParts, i, "size")
		case p.Size > limits.MaxSize:
			err = fault.New(fault.LimitExceeded, "A part has %d bytes at most.", limits.MaxSize).At(ParamParts, i, "size")
		}
		if err != nil {
			return 0, 0, err
		}
		seen[p.Number] = true
		bytes += p.Size
		charge += max(p.Size, leastCharge)
	}
	return bytes, charge, nil
}

// checkParts compares the parts that have arrived with the value's size: numbers from 1 on without a gap, all but the last of the
// least size or more and, if the client encrypts, of whole segments, and together the size of the object. The fault names the first
// part that is wrong.
func (v *Vault) checkParts(parts []objects.Part, mode objects.Mode, want int64) error {
	bad := func(param Param, format string, args ...any) error {
		return fault.New(fault.BadUserInput, format, args...).At(param)
	}
	least := v.opts.Objects.PartLimits().MinSize
	sum := int64(0)
	for i, p := range parts {
		switch {
		case p.Number != i+1:
			return bad(ParamTokens, "Part %d is missing.", i+1)
		case sum+p.Size > want:
			return bad(ParamSize, "Part %d goes beyond the value: its parts have %d bytes together, as sent.", p.Number, want)
		case i < len(parts)-1 && p.Size < least:
			return bad(ParamTokens, "Part %d has %d bytes; all parts but the last have %d or more.", p.Number, p.Size, least)
		case i < len(parts)-1 && mode == objects.Client && p.Size%segment != 0:
			return bad(ParamTokens, "Part %d has %d bytes; all parts but the last have a multiple of %d.", p.Number, p.Size, segment)
		}
		sum += p.Size
	}
	if sum < want {
		return bad(ParamTokens, "Part %d is missing: %d of %d bytes, as sent, have arrived.", len(parts)+1, sum, want)
	}
	return nil
}
