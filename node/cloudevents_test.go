package node

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// conformance are the events of the CloudEvents project's conformance cases
// for its JSON format, 10 valid ones and 25 invalid. base stands for the four
// required attributes.
var conformance = []struct {
	name, json string
	valid      bool
	// binary is true where the binary mode, whose attributes are all text and
	// whose names have no case, cannot say what is wrong.
	binary bool
}{
	{"minimal", `base`, true, false},
	{"null optional attributes", `base,"datacontenttype":null,"dataschema":null,"subject":null,"time":null`, true, false},
	{"all core attributes", `base,"datacontenttype":"text/plain","dataschema":"https://cloudevents.io/dataschema","subject":"tests","time":"2018-04-05T17:31:00Z"`, true, false},
	{"time", `base,"time":"2018-04-05T17:31:00Z"`, true, false},
	{"time to nanoseconds", `base,"time":"2018-04-05T17:31:00.000000000Z"`, true, false},
	{"time with a positive offset", `base,"time":"2018-04-05T18:31:00+01:00"`, true, false},
	{"time with a negative offset", `base,"time":"2018-04-05T16:31:00-01:00"`, true, false},
	{"relative source", `"specversion":"1.0","id":"r","type":"io.cloudevents.test","source":"#fragment"`, true, false},
	{"text data", `base,"datacontenttype":"text/plain","data":"Simple text"`, true, false},
	{"all extension types", `base,"extinteger":10,"extboolean":true,"extstring":"text","exturi":"https://cloudevents.io","exturiref":"//authority/path","exttimestamp":"2023-03-31T15:12:00Z","extbinary":"TWE="`, true, false},

	{"no specversion", `"id":"i","type":"t","source":"https://cloudevents.io"`, false, false},
	{"no id", `"specversion":"1.0","type":"t","source":"https://cloudevents.io"`, false, false},
	{"no type", `"specversion":"1.0","id":"i","source":"https://cloudevents.io"`, false, false},
	{"no source", `"specversion":"1.0","id":"i","type":"t"`, false, false},
	{"time garbage", `base,"time":"lunchtime"`, false, false},
	{"time to the minute", `base,"time":"2018-04-05T18:31Z"`, false, false},
	{"time offset X", `base,"time":"2018-04-05T18:31:00X"`, false, false},
	{"time offset out of range", `base,"time":"2018-04-05T18:31:00+25:00"`, false, false},
	{"time offset no number", `base,"time":"2018-04-05T18:31:00+xx:00"`, false, false},
	{"time offset of hours only", `base,"time":"2018-04-05T18:31:00+05"`, false, false},
	{"empty id", `"specversion":"1.0","id":"","type":"t","source":"https://cloudevents.io"`, false, false},
	{"empty type", `"specversion":"1.0","id":"i","type":"","source":"https://cloudevents.io"`, false, false},
	{"empty source", `"specversion":"1.0","id":"i","type":"t","source":""`, false, false},
	{"empty specversion", `"specversion":"","id":"i","type":"t","source":"https://cloudevents.io"`, false, false},
	{"unknown specversion", `"specversion":"0.9","id":"i","type":"t","source":"https://cloudevents.io"`, false, false},
	{"datacontenttype not of RFC 2046", `base,"datacontenttype":"xyz"`, false, false},
	{"empty datacontenttype", `base,"datacontenttype":""`, false, true},
	{"empty dataschema", `base,"dataschema":""`, false, false},
	{"empty subject", `base,"subject":""`, false, false},
	{"numeric id", `"specversion":"1.0","id":25,"type":"t","source":"https://cloudevents.io"`, false, true},
	{"object id", `"specversion":"1.0","id":{"xyz":"abc"},"type":"t","source":"https://cloudevents.io"`, false, true},
	{"capital in an extension's name", `base,"MyExtension":"bad"`, false, true},
	{"full stop in an extension's name", `base,"my.extension":"bad"`, false, false},
	{"fraction in an extension", `base,"my.extension":1.5`, false, false},
	{"both data and data_base64", `base,"data":"text","data_base64":"eyAieHl6IjogMTIzIH0="`, false, true},
}

const required = `"specversion":"1.0","id":"minimal","type":"io.cloudevents.test","source":"https://cloudevents.io"`

// asHeaders is an event of the JSON format in the binary mode.
func asHeaders(t *testing.T, text string) (headers []string, body string) {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		var header string
		switch value := value.(type) {
		case nil:
			continue
		case string:
			header = value
		case bool:
			header = strconv.FormatBool(value)
		case float64:
			header = strconv.FormatFloat(value, 'f', -1, 64)
		}
		switch name {
		case "data":
			body = header
		case "datacontenttype":
			headers = append(headers, "Content-Type", header)
		default:
			headers = append(headers, "ce-"+name, header)
		}
	}
	return headers, body
}

func TestConformanceOfAllModes(t *testing.T) {
	s, secret := withGateway(t, Token{Scopes: []string{"produce"}})
	const batchType = "application/cloudevents-batch+json"
	check := func(name string, valid bool, body string, headers ...string) {
		t.Helper()
		response, _, text := s.post("/v1/events", secret, body, headers...)
		want := http.StatusAccepted
		if !valid {
			want = http.StatusBadRequest
		}
		if response.StatusCode != want {
			t.Errorf("%s: %d %s, want %d", name, response.StatusCode, text, want)
		}
	}
	for _, c := range conformance {
		event := "{" + strings.Replace(c.json, "base", required, 1) + "}"
		check(c.name+", structured", c.valid, event, "Content-Type", structured)
		check(c.name+", batch", c.valid, "[{"+required+"},"+event+"]", "Content-Type", batchType)
		if !c.binary {
			headers, body := asHeaders(t, event)
			check(c.name+", binary", c.valid, body, headers...)
		}
	}
	check("batch with no object", false, `["not an object",{`+required+`}]`, "Content-Type", batchType)
	check("batch that is no array", false, `{`+required+`}`, "Content-Type", batchType)
	check("structured that is an array", false, `[{`+required+`}]`, "Content-Type", structured)
}
