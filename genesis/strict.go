package genesis

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// strictJSON reads a document that has every member exactly once, by its exact
// name, and no others. encoding/json would give a missing rule its zero, take
// the last of two, and take "chainid" for "chainId": readers in other
// languages would see another ledger in the same file.
func strictJSON[T any](text []byte, into *T) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return fmt.Errorf("%s: must be a %s, is a %s", wrong.Field, wrong.Type, wrong.Value)
		}
		return fmt.Errorf("not a valid document: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more follows the document")
	}
	canonical, err := json.Marshal(into)
	if err != nil {
		return fmt.Errorf("not a valid document: %w", err)
	}
	got, err := parseShape(text)
	if err != nil {
		return fmt.Errorf("not a valid document: %w", err)
	}
	want, err := parseShape(canonical)
	if err != nil {
		return fmt.Errorf("not a valid document: %w", err)
	}
	return got.matches(want, "")
}

// shape is a JSON value without its numbers and texts.
type shape struct {
	kind    json.Delim // '{', '[', or 0 for any other value
	null    bool
	names   []string // of an object's members, as they stand
	members []shape  // of an object or array
}

// parseShape reads the shape of a text that encoding/json has accepted, which
// bounds its nesting.
func parseShape(text []byte) (shape, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return nextShape(decoder)
}

func nextShape(decoder *json.Decoder) (shape, error) {
	token, err := decoder.Token()
	if err != nil {
		return shape{}, err
	}
	delim, nested := token.(json.Delim)
	s := shape{kind: delim, null: token == nil}
	if !nested {
		return s, nil
	}
	for decoder.More() {
		if delim == '{' {
			name, err := decoder.Token()
			if err != nil {
				return s, err
			}
			s.names = append(s.names, name.(string)) // an object's names are strings
		}
		member, err := nextShape(decoder)
		if err != nil {
			return s, err
		}
		s.members = append(s.members, member)
	}
	_, err = decoder.Token() // the closing delimiter
	return s, err
}

// matches holds what was read to what it was read as; the error names the member.
func (s shape) matches(want shape, at string) error {
	if s.kind != want.kind || s.null != want.null {
		if s.null {
			return fmt.Errorf("%s: must not be null", at)
		}
		return fmt.Errorf("%s: is not what it was read as", at)
	}
	if s.kind == '[' {
		for i := range min(len(s.members), len(want.members)) {
			if err := s.members[i].matches(want.members[i], fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
		return nil
	}
	for i, name := range s.names {
		of := slices.Index(want.names, name)
		switch {
		case of < 0:
			return fmt.Errorf("%s: unknown; names are exact", path(at, name))
		case slices.Contains(s.names[:i], name):
			return fmt.Errorf("%s: is there twice", path(at, name))
		}
		if err := s.members[i].matches(want.members[of], path(at, name)); err != nil {
			return err
		}
	}
	for _, name := range want.names {
		if !slices.Contains(s.names, name) {
			return fmt.Errorf("%s: is missing", path(at, name))
		}
	}
	return nil
}

func path(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}
