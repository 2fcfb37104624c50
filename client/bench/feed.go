package bench

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Subjects of one stream: car parks, or meters.
const subjectsPerStream = 50

// feedStart is a Monday, before any clock that runs this.
var feedStart = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// kind is what the events of a stream are.
type kind string

const (
	parking  kind = "parking"
	metering kind = "metering"
)

// feed makes the events of one stream. Event n is a function of the feed and
// n: the audit makes it again instead of keeping it.
type feed struct {
	kind   kind
	stream int
	bytes  int // of an event as CloudEvents JSON
}

// name is the stream's.
func (f *feed) name() string { return fmt.Sprintf("bench-%s-%d", f.kind, f.stream) }

// meter names a meter or car park of the stream.
func (f *feed) subject(n uint64) string {
	return fmt.Sprintf("bench-%03d-%02d", f.stream, n%subjectsPerStream)
}

// step is the time between two readings of a subject.
func (f *feed) step() time.Duration {
	if f.kind == metering {
		return 15 * time.Minute
	}
	return 5 * time.Minute
}

// event makes event n.
func (f *feed) event(n uint64) protocol.Event {
	at := feedStart.Add(time.Duration(1+n/subjectsPerStream) * f.step())
	subject := f.subject(n)
	e := protocol.Event{
		ID: subject + "@" + strconv.FormatUint(n, 10), Source: "/bench/" + f.name(), Subject: subject,
		TimeNs: at.UnixNano(), HasTime: true, DataContentType: "application/json", DataForm: protocol.DataJSON,
	}
	noise := f.noise(n)
	data := make([]byte, 0, f.bytes)
	switch f.kind {
	case metering:
		e.Type = "metering.reading.v1"
		data = append(data, `{"quantity":`...)
		data = strconv.AppendUint(data, 1+noise%9, 10)
		data = append(data, '.')
		data = strconv.AppendUint(data, 10+noise>>8%90, 10)
	default:
		e.Type = "parking.occupancy.v1"
		capacity := 200 + uint64(f.stream*subjectsPerStream)%800 + n%subjectsPerStream
		data = append(data, `{"occupied":`...)
		data = strconv.AppendUint(data, noise%(capacity+1), 10)
		data = append(data, `,"capacity":`...)
		data = strconv.AppendUint(data, capacity, 10)
	}
	data = append(data, `,"batteryMv":`...)
	data = strconv.AppendUint(data, 3_000+noise>>16%600, 10)
	data = append(data, `,"signalDbm":-`...)
	data = strconv.AppendUint(data, 40+noise>>32%60, 10)
	e.Data = f.pad(&e, data, n)
	return e
}

// frame is what CloudEvents JSON has around the attributes of these events:
// names, quotes, commas and the time's 20 characters.
const frame = len(`{"specversion":"1.0","id":"","source":"","type":"","subject":"","time":"2024-01-01T00:00:00Z","datacontenttype":"application/json","data":}`)

// pad fills the data up to the event's size with hexadecimal digits, as of a
// sensor's own signature: they compress to half at best.
func (f *feed) pad(e *protocol.Event, data []byte, n uint64) []byte {
	missing := f.bytes - frame - len(e.ID) - len(e.Source) - len(e.Type) - len(e.Subject) - len(data) - len(`,"proof":""}`)
	if missing <= 0 {
		return append(data, '}')
	}
	data = append(data, `,"proof":"`...)
	var word [8]byte
	for i := uint64(0); missing > 0; i++ {
		binary.BigEndian.PutUint64(word[:], mix(f.noise(n)+i+1))
		take := min(missing, 2*len(word))
		data = hex.AppendEncode(data, word[:])
		data = data[:len(data)-2*len(word)+take]
		missing -= take
	}
	return append(data, `"}`...)
}

// noise is a number that looks random and is always the same.
func (f *feed) noise(n uint64) uint64 { return mix(uint64(f.stream)<<40 ^ n) }

// mix is the finaliser of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// minEventBytes is the least size whose events have room for what they say.
const minEventBytes = 300

// checkSize makes an event of the size asked for, and says what is wrong.
func checkSize(bytes int) error {
	if bytes < minEventBytes || bytes > protocol.MaxRecordBytes/2 {
		return fmt.Errorf("event size: must be %d to %d bytes, is %d", minEventBytes, protocol.MaxRecordBytes/2, bytes)
	}
	return nil
}
