package protocol

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// What is deflated, by size, is read back by the library and by this package.
func TestDeflate(t *testing.T) {
	random := rand.NewChaCha8([32]byte{6})
	noise := make([]byte, rawFrameMax+2)
	random.Read(noise)
	text := bytes.Repeat([]byte("a reading "), 1+rawFrameMax/10)
	for _, size := range []int{0, 1, 210, 254, 255, 256, 257, rawFrameBelow - 1, rawFrameBelow, 4096, rawFrameMax - 1, rawFrameMax, rawFrameMax + 1} {
		for _, content := range [][]byte{noise[:size], text[:size]} {
			frame := deflate(content)
			_, raw := rawContent(frame)
			if want := size < rawFrameBelow || content[0] == noise[0] && size <= rawFrameMax; raw != want {
				t.Errorf("%d octets, such as %.10q: in a raw block %v", size, content, raw)
			}
			theirs, err := zstdDecoder().DecodeAll(frame, nil)
			if err != nil || !bytes.Equal(theirs, content) {
				t.Errorf("%d octets, such as %.10q: the library reads %d octets, %v", size, content, len(theirs), err)
			}
			ours, err := inflate(frame, size)
			if err != nil || !bytes.Equal(ours, content) {
				t.Errorf("%d octets, such as %.10q: inflated to %d octets, %v", size, content, len(ours), err)
			}
			if _, err := inflate(frame, size+1); !hasCode(err, CodeInflation) {
				t.Errorf("%d octets stated as one more: %v", size, err)
			}
		}
	}
}

// Inflated records do not change with the buffer they were read from.
func TestInflatedRecordsAreTheirOwn(t *testing.T) {
	records := smallRecords(t, 1)
	frame, size, err := DeflateRecords(records)
	if err != nil {
		t.Fatal(err)
	}
	out, err := InflateRecords(frame, 1, size)
	clear(frame)
	if err != nil || !bytes.Equal(out[0], records[0]) {
		t.Fatalf("%q, %v", out, err)
	}
}

// FuzzRawFrame holds that what is read without the library is what the library
// reads, and that nothing else of the same content is taken for it.
func FuzzRawFrame(f *testing.F) {
	content := bytes.Repeat([]byte{7}, 300)
	for _, size := range []int{0, 1, 255, 256, 300} {
		f.Add(appendRawFrame(nil, content[:size]))
	}
	f.Add(zstdEncoder().EncodeAll(content, nil))
	f.Add(append(appendRawFrame(nil, nil), appendRawFrame(nil, content[:2])...))
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, ok := rawContent(frame)
		if !ok {
			return
		}
		want, err := zstdDecoder().DecodeAll(frame, nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %q, the library %q, %v", got, want, err)
		}
		if again := appendRawFrame(nil, got); !bytes.Equal(again, frame) {
			t.Fatalf("%x is a second frame of %x", frame, again)
		}
	})
}
