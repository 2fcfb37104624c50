package protocol

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstd coders. Level "fastest" already halves typical readings; the encoder
// and decoder are safe for concurrent EncodeAll and DecodeAll.
var (
	zstdEncoder = sync.OnceValue(func() *zstd.Encoder {
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false))
		if err != nil {
			panic(fmt.Sprintf("protocol: zstd encoder: %v", err))
		}
		return enc
	})
	zstdDecoder = sync.OnceValue(func() *zstd.Decoder {
		dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(2), zstd.WithDecoderMaxMemory(MaxBatchRawBytes), zstd.WithDecoderMaxWindow(MaxBatchRawBytes*2))
		if err != nil {
			panic(fmt.Sprintf("protocol: zstd decoder: %v", err))
		}
		return dec
	})
)

// A frame may hold its content as it is, in a raw block (RFC 8878, sections
// 3.1.1.1 and 3.1.1.2):
//
//	28 b5 2f fd   magic number
//	20 | 60       single segment, content size in one octet or in two; no checksum, no dictionary
//	n | n-256     content size, little-endian
//	[3] n<<3 | 1  block header, little-endian: the last block, raw
//	[n]           content
const (
	rawFrame8   = 0x20fd2fb528 // the first five octets, little-endian
	rawFrame16  = 0x60fd2fb528
	rawFrameMax = 255 + 1<<16 // content of a frame that is read and written here
)

// rawFrameBelow is the size from which on events are compressed. Below it are
// one or two readings, which have little to share: compressed, one of 210
// octets loses 15, and one of 350 loses 65. That takes the producer 9 us of
// processor time and every node 2 to 3, whenever it reads the batch.
const rawFrameBelow = 384

// appendRawFrame writes a frame that holds content of at most rawFrameMax octets as it is.
func appendRawFrame(dst, content []byte) []byte {
	size := len(content)
	if size < 256 {
		dst = append(binary.LittleEndian.AppendUint32(dst, rawFrame8&(1<<32-1)), rawFrame8>>32, byte(size))
	} else {
		dst = append(binary.LittleEndian.AppendUint32(dst, rawFrame16&(1<<32-1)), rawFrame16>>32)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(size-256))
	}
	header := size<<3 | 1
	return append(append(dst, byte(header), byte(header>>8), byte(header>>16)), content...)
}

// rawContent is the content, inside frame, of what appendRawFrame writes. Of
// everything else it says no, which is not that it is no frame.
func rawContent(frame []byte) ([]byte, bool) {
	if len(frame) < 9 {
		return nil, false
	}
	var size, head int
	switch binary.LittleEndian.Uint64(frame) & (1<<40 - 1) {
	case rawFrame8:
		size, head = int(frame[5]), 6
	case rawFrame16:
		size, head = int(binary.LittleEndian.Uint16(frame[5:]))+256, 7
	default:
		return nil, false
	}
	if len(frame) != head+3+size {
		return nil, false
	}
	header := int(frame[head]) | int(frame[head+1])<<8 | int(frame[head+2])<<16
	return frame[head+3:], header == size<<3|1
}

// deflate writes a frame of content.
func deflate(content []byte) []byte {
	if len(content) < rawFrameBelow {
		return appendRawFrame(make([]byte, 0, len(content)+10), content)
	}
	frame := zstdEncoder().EncodeAll(content, nil)
	if len(frame) >= len(content) && len(content) <= rawFrameMax {
		return appendRawFrame(frame[:0], content) // easier to read
	}
	return frame
}

// inflate undoes deflate, and whatever another encoder did: size octets
// exactly. The result may lie in frame.
func inflate(frame []byte, size int) ([]byte, error) {
	content, ok := rawContent(frame)
	if !ok {
		var err error
		if content, err = zstdDecoder().DecodeAll(frame, make([]byte, 0, size)); err != nil {
			return nil, Refuse(CodeInflation, "batch: zstd: %v", err)
		}
	}
	if len(content) != size {
		return nil, Refuse(CodeInflation, "batch: inflates to %d bytes, states %d", len(content), size)
	}
	return content, nil
}
