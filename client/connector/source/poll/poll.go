// Package poll reads HTTP APIs by asking again and again: any that answers
// JSON, and those of OGC SensorThings. What is new is kept in the connector's
// journal, with the cursor to go on from.
package poll

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/connector/expr"
	"github.com/cairn-ledger/cairn/client/connector/journal"
	"github.com/cairn-ledger/cairn/client/connector/record"
	"github.com/cairn-ledger/cairn/client/connector/setting"
)

// Config of the source.
type Config struct {
	URL     string                    `yaml:"url"`   // {cursor} stands for the last cursor, escaped
	Every   setting.Duration          `yaml:"every"` // 1m
	Headers map[string]setting.Secret `yaml:"headers"`
	Items   string                    `yaml:"items"`  // path to the list of records in the answer, such as data.items; the answer itself
	Next    expr.Text                 `yaml:"next"`   // over `body`: the URL of the next page, or null
	Cursor  expr.Text                 `yaml:"cursor"` // over `value`, a record: what the next question goes on from
	Start   string                    `yaml:"start"`  // the first cursor
	TLS     *setting.TLS              `yaml:"tls"`

	journal.Config `yaml:",inline"`
}

// SensorThings is the Config of an OGC SensorThings 1.1 service's observations.
type SensorThings struct {
	URL     string                    `yaml:"url"`    // of the service's root, such as https://host/v1.1
	Filter  string                    `yaml:"filter"` // further $filter
	Expand  string                    `yaml:"expand"` // Datastream
	Order   string                    `yaml:"order"`  // what tells new ones: id (also ""), or phenomenonTime or resultTime
	Start   string                    `yaml:"start"`  // the id or time to begin after; 0
	Every   setting.Duration          `yaml:"every"`
	Headers map[string]setting.Secret `yaml:"headers"`
	TLS     *setting.TLS              `yaml:"tls"`

	journal.Config `yaml:",inline"`
}

const (
	maxBody  = 32 << 20
	maxPages = 10_000 // of one round
)

// Source asks one API.
type Source struct {
	config       Config
	client       *http.Client
	header       http.Header
	next, cursor *expr.Over
	seen         map[[32]byte]bool // what the last round had, so that it is not taken again
}

// New checks a Config.
func New(c Config) (*Source, error) {
	if u, err := url.Parse(strings.ReplaceAll(c.URL, "{cursor}", "x")); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("url is %q, must be an http or https URL", c.URL)
	}
	if strings.Contains(c.URL, "{cursor}") != (c.Cursor.Source != "") {
		return nil, errors.New("url and cursor: {cursor} in the URL and the expression `cursor` go together")
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Source{config: c, header: http.Header{"Accept": {"application/json"}}}
	for _, e := range []struct {
		setting, name string
		text          expr.Text
		into          **expr.Over
	}{{"next", "body", c.Next, &s.next}, {"cursor", "value", c.Cursor, &s.cursor}} {
		if e.text.Source == "" {
			continue
		}
		var err error
		if *e.into, err = expr.NewOver(e.setting, e.name, e.text); err != nil {
			return nil, err
		}
	}
	for name, secret := range c.Headers {
		text, err := secret.Text()
		if err != nil {
			return nil, fmt.Errorf("headers.%s: %w", name, err)
		}
		s.header.Set(name, text)
	}
	secured, err := c.TLS.Load()
	if err != nil {
		return nil, err
	}
	s.client = &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: secured, Proxy: http.ProxyFromEnvironment}}
	return s, nil
}

// NewSensorThings checks a Config: observations in ascending order of their
// ids, which services give in the order of arrival, so that late ones are not missed.
func NewSensorThings(c SensorThings) (*Source, error) {
	if c.Expand == "" {
		c.Expand = "Datastream"
	}
	if c.Start == "" {
		c.Start = "0"
	}
	compare, cursor := "id gt {cursor}", `value["@iot.id"]`
	switch c.Order {
	case "":
		c.Order = "id"
	case "id":
	case "phenomenonTime", "resultTime":
		compare, cursor = c.Order+" ge {cursor}", "value."+c.Order+`.split("/")[0]`
		if c.Start == "0" {
			c.Start = "1970-01-01T00:00:00Z"
		}
	default:
		return nil, fmt.Errorf("order is %q, must be id, phenomenonTime or resultTime", c.Order)
	}
	if c.Filter != "" {
		compare = "(" + c.Filter + ") and " + compare
	}
	query := fmt.Sprintf("$orderby=%s%%20asc&$top=1000&$expand=%s&$filter=%s", c.Order, url.QueryEscape(c.Expand), strings.ReplaceAll(url.PathEscape(compare), "%7Bcursor%7D", "{cursor}"))
	return New(Config{
		URL: strings.TrimSuffix(c.URL, "/") + "/Observations?" + query, Every: c.Every, Headers: c.Headers, TLS: c.TLS, Config: c.Config, Start: c.Start,
		Items: "value", Next: expr.Text{Source: `"@iot.nextLink" in body ? body["@iot.nextLink"] : null`}, Cursor: expr.Text{Source: cursor},
	})
}

// Run asks until ctx ends.
func (s *Source) Run(ctx context.Context, feed record.Feed) error {
	return journal.Run(ctx, s.config.Config, feed, func(ctx context.Context, box *journal.Box) error {
		cursor := box.Cursor()
		if cursor == "" {
			cursor = s.config.Start
		}
		for {
			next, err := s.round(ctx, box, cursor)
			var stopped fatal
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.As(err, &stopped):
				return stopped.error
			case err != nil:
				feed.Log("%s: %v; trying again", s.config.URL, err)
			}
			cursor = next
			select {
			case <-time.After(s.config.Every.Or(time.Minute)):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
}

// fatal marks what asking again does not help with.
type fatal struct{ error }

// round asks for every page from a cursor on and answers the new cursor.
func (s *Source) round(ctx context.Context, box *journal.Box, cursor string) (string, error) {
	page := strings.ReplaceAll(s.config.URL, "{cursor}", url.QueryEscape(cursor))
	before := s.seen
	s.seen = map[[32]byte]bool{}
	for range maxPages {
		body, err := s.ask(ctx, page)
		if err != nil {
			s.seen = before
			return cursor, err
		}
		items, err := s.list(body)
		if err != nil {
			return cursor, err
		}
		var records []*record.Record
		for _, item := range items {
			hash := sha256.Sum256(item)
			s.seen[hash] = true
			if !before[hash] {
				records = append(records, &record.Record{Value: item, Topic: s.config.URL, Time: time.Now()})
			}
		}
		if s.cursor != nil && len(items) > 0 {
			if cursor, err = s.cursor.Text(items[len(items)-1]); err != nil {
				return cursor, err
			}
		}
		if len(records) > 0 {
			if err := box.Take(ctx, records, cursor); err != nil {
				return cursor, fatal{err}
			}
		}
		if s.next == nil {
			return cursor, nil
		}
		following, err := s.next.Text(body)
		if err != nil || following == "" {
			return cursor, err
		}
		if page, err = s.within(page, following); err != nil {
			return cursor, err
		}
	}
	return cursor, fmt.Errorf("more than %d pages", maxPages)
}

// within resolves the link to a next page, which must be of the same host: the
// headers may hold a secret.
func (s *Source) within(page, link string) (string, error) {
	at, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	next, err := at.Parse(link)
	if err != nil {
		return "", fmt.Errorf("the next page: %w", err)
	}
	if next.Host != at.Host || next.Scheme != at.Scheme {
		return "", fmt.Errorf("the next page is at %s://%s, another place than %s://%s", next.Scheme, next.Host, at.Scheme, at.Host)
	}
	return next.String(), nil
}

func (s *Source) ask(ctx context.Context, page string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	request.Header = s.header.Clone()
	response, err := s.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxBody:
		return nil, fmt.Errorf("answers more than %d bytes", maxBody)
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answers %s: %.200s", response.Status, body)
	}
	return body, nil
}

// list finds the records in an answer, octet for octet.
func (s *Source) list(body []byte) ([]json.RawMessage, error) {
	at := json.RawMessage(body)
	if s.config.Items != "" {
		for name := range strings.SplitSeq(s.config.Items, ".") {
			var members map[string]json.RawMessage
			if err := json.Unmarshal(at, &members); err != nil {
				return nil, fmt.Errorf("items: the answer has no object around %q: %w", name, err)
			}
			inner, there := members[name]
			if !there {
				return nil, fmt.Errorf("items: the answer has no member %q", name)
			}
			at = inner
		}
	}
	var items []json.RawMessage
	if err := json.Unmarshal(at, &items); err != nil {
		return nil, fmt.Errorf("items: the answer has no list of records there: %w", err)
	}
	return items, nil
}

// Dial asks once.
func (s *Source) Dial(ctx context.Context) (string, error) {
	body, err := s.ask(ctx, strings.ReplaceAll(s.config.URL, "{cursor}", url.QueryEscape(s.config.Start)))
	if err != nil {
		return "", err
	}
	items, err := s.list(body)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s answers %d records", s.config.URL, len(items)), nil
}
