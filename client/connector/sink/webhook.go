package sink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cairn-ledger/cairn/client/cehttp"
	"github.com/cairn-ledger/cairn/client/connector/setting"
	"github.com/cairn-ledger/cairn/client/rest"
)

// WebhookConfig is an HTTP receiver of CloudEvents in the binary mode, with the
// entry's index as the header Cairn-Index. It gets events at least once.
type WebhookConfig struct {
	URL     string                    `yaml:"url"`
	Headers map[string]setting.Secret `yaml:"headers"`
	TLS     *setting.TLS              `yaml:"tls"`
}

type webhook struct {
	url    string
	header http.Header
	client *http.Client
}

// NewWebhook checks a WebhookConfig.
func NewWebhook(c WebhookConfig) (Sink, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("webhook.url is %q, must be an http or https URL", c.URL)
	}
	w := &webhook{url: c.URL, header: http.Header{}}
	for name, secret := range c.Headers {
		text, err := secret.Text()
		if err != nil {
			return nil, fmt.Errorf("webhook.headers.%s: %w", name, err)
		}
		w.header.Set(name, text)
	}
	secured, err := c.TLS.Load()
	if err != nil {
		return nil, fmt.Errorf("webhook.%w", err)
	}
	w.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: secured, Proxy: http.ProxyFromEnvironment}}
	return w, nil
}

// Write sends one after another; 2xx is the acknowledgement. What the receiver
// says about the event itself, it will say again.
func (w *webhook) Write(ctx context.Context, events []rest.Delivered) error {
	for i := range events {
		status, err := w.send(ctx, &events[i])
		switch {
		case err != nil:
			return fmt.Errorf("webhook: entry %d: %w", events[i].Index, err)
		case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnsupportedMediaType, status == http.StatusUnprocessableEntity, status == http.StatusGone:
			return &Refused{i, fmt.Errorf("webhook: the receiver answered %d", status)}
		case status < 200 || status >= 300:
			return fmt.Errorf("webhook: entry %d: the receiver answered %d", events[i].Index, status)
		}
	}
	return nil
}

func (w *webhook) send(ctx context.Context, e *rest.Delivered) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(e.Event.Data))
	if err != nil {
		return 0, err
	}
	request.Header = w.header.Clone()
	cehttp.SetBinary(request.Header, &e.Event)
	request.Header.Set("Cairn-Index", strconv.FormatUint(e.Index, 10))
	response, err := w.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
	return response.StatusCode, nil
}

// Dial asks whether somebody listens; any answer will do.
func (w *webhook) Dial(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodOptions, w.url, nil)
	if err != nil {
		return "", err
	}
	response, err := w.client.Do(request)
	if err != nil {
		return "", fmt.Errorf("webhook: %w", err)
	}
	defer response.Body.Close()
	return fmt.Sprintf("webhook: %s answers", w.url), nil
}

func (w *webhook) Close() error {
	w.client.CloseIdleConnections()
	return nil
}
