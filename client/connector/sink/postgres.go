package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/cairn-ledger/cairn/client/connector/setting"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// PostgresConfig is a table of a database that speaks PostgreSQL's protocol.
// The entry's index is its primary key, so an event is there once. The table is
// made where there is none.
type PostgresConfig struct {
	URL   setting.Secret `yaml:"url"`   // postgres://user:password@host/database
	Table string         `yaml:"table"` // name, or schema.name
}

var tableName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$`)

type postgres struct {
	config *pgx.ConnConfig
	table  string
	insert string
	conn   *pgx.Conn // nil until the first Write
}

// NewPostgres checks a PostgresConfig.
func NewPostgres(c PostgresConfig) (Sink, error) {
	if !tableName.MatchString(c.Table) {
		return nil, fmt.Errorf("postgres.table is %q, must be a name of a-z, 0-9 and _, or schema.name", c.Table)
	}
	url, err := c.URL.Text()
	if err != nil {
		return nil, fmt.Errorf("postgres.url: %w", err)
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("postgres.url is not like postgres://user:password@host/database") // the reason might show the password
	}
	table := pgx.Identifier(strings.Split(c.Table, ".")).Sanitize()
	return &postgres{config: config, table: table, insert: "INSERT INTO " + table +
		" (index, height, ledger_time, origin, id, source, type, subject, time, data, event) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11) ON CONFLICT (index) DO NOTHING"}, nil
}

// columns of the table. event is the whole event as CloudEvents JSON; data is
// null where it is no JSON.
const columns = ` (index bigint PRIMARY KEY, height bigint NOT NULL, ledger_time timestamptz NOT NULL, origin text NOT NULL, id text NOT NULL, source text NOT NULL, type text NOT NULL, subject text, time timestamptz, data jsonb, event text NOT NULL)`

func (p *postgres) open(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, p.config)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS "+p.table+columns); err != nil {
		return errors.Join(fmt.Errorf("postgres: %w", err), conn.Close(ctx))
	}
	p.conn = conn
	return nil
}

// Write inserts in one transaction. Where the database refuses an event's
// content, those before it are inserted alone and it is named.
func (p *postgres) Write(ctx context.Context, events []rest.Delivered) error {
	if p.conn == nil || p.conn.IsClosed() {
		if err := p.open(ctx); err != nil {
			return err
		}
	}
	err := p.write(ctx, events)
	if !content(err) {
		return err
	}
	for i := range events {
		if err := p.write(ctx, events[i:i+1]); content(err) {
			return &Refused{i, err}
		} else if err != nil {
			return err
		}
	}
	return nil
}

// content says that an error is about what a row holds: PostgreSQL's classes 22
// and 54, data exceptions and limits.
func content(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && (strings.HasPrefix(refused.Code, "22") || strings.HasPrefix(refused.Code, "54"))
}

func (p *postgres) write(ctx context.Context, events []rest.Delivered) error {
	batch := &pgx.Batch{}
	for i := range events {
		e := &events[i]
		text, err := json.Marshal(e.Event)
		if err != nil {
			return err
		}
		var at *time.Time
		if e.Event.HasTime {
			t := time.Unix(0, e.Event.TimeNs).UTC()
			at = &t
		}
		var subject, data *string
		if e.Event.Subject != "" {
			subject = &e.Event.Subject
		}
		if e.Event.DataForm == protocol.DataJSON {
			octets := string(e.Event.Data)
			data = &octets
		}
		batch.Queue(p.insert, int64(e.Index), int64(e.Height), time.UnixMilli(int64(e.TimeMs)).UTC(), e.Origin.String(), e.Event.ID, e.Event.Source, e.Event.Type, subject, at, data, string(text))
	}
	err := pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() })
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return nil
}

// Dial connects and makes the table.
func (p *postgres) Dial(ctx context.Context) (string, error) {
	if err := p.open(ctx); err != nil {
		return "", err
	}
	defer p.Close()
	return fmt.Sprintf("postgres: the table %s is there", p.table), nil
}

func (p *postgres) Close() error {
	if p.conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return p.conn.Close(ctx)
}
