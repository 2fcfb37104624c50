package main

// parser reads the lists of a tariff, whose items stand between commas. What
// it cannot read marks it.
type parser struct{ bad bool }

// cut splits at the first separator, without the spaces around.
func cut(b []byte, separator byte) (before, after []byte, found bool) {
	for i, c := range b {
		if c == separator {
			return trim(b[:i]), trim(b[i+1:]), true
		}
	}
	return trim(b), nil, false
}

// cutLast splits at the last space.
func cutLast(b []byte) (before, after []byte) {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == ' ' {
			return trim(b[:i]), b[i+1:]
		}
	}
	return nil, b
}

func trim(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

// each visits the items of a list, at most limit.
func (p *parser) each(list []byte, limit int, visit func(item []byte)) {
	for more := len(list) > 0; more && !p.bad; limit-- {
		var item []byte
		item, list, more = cut(list, ',')
		if p.check(limit > 0 && len(item) > 0) {
			visit(item)
		}
	}
}

// check marks the parser unless ok.
func (p *parser) check(ok bool) bool {
	p.bad = p.bad || !ok
	return ok
}

func (p *parser) price(b []byte) uint64 {
	v, ok := parseScaled(b, maxPrice)
	p.check(ok)
	return v
}

// bands reads "light 56.1, medium 109"; "56.1" is one band named all.
func (p *parser) bands(list []byte) (bands []band) {
	p.each(list, maxBands, func(item []byte) {
		name, price := cutLast(item)
		if name == nil {
			name = []byte("all")
		}
		p.check(len(name) > 0 && len(name) <= maxBandBytes && bandIndex(bands, name) < 0)
		bands = append(bands, band{p.price(price), name})
	})
	p.check(len(bands) > 0)
	return bands
}

func bandIndex(bands []band, name []byte) int {
	for i := range bands {
		if string(bands[i].name) == string(name) {
			return i
		}
	}
	return -1
}

// rules reads "mon-fri 09:00-12:00 peak, sat-sun 00:00-24:00 low".
func (p *parser) rules(list []byte, bands []band) (rules []rule) {
	p.each(list, maxRules, func(item []byte) {
		days, rest, _ := cut(item, ' ')
		hours, name, _ := cut(rest, ' ')
		from, to, _ := cut(hours, '-')
		r := rule{days: p.days(days), from: p.minute(from), to: p.minute(to)}
		index := bandIndex(bands, name)
		p.check(index >= 0 && r.from < r.to)
		r.band = uint8(index)
		rules = append(rules, r)
	})
	return rules
}

const weekdays = "montuewedthufrisatsun"

// days reads "sat" or "mon-fri" as a set; "sat-mon" runs through Sunday.
func (p *parser) days(b []byte) (set uint8) {
	first, last, isRange := cut(b, '-')
	if !isRange {
		last = first
	}
	from, to := p.day(first), p.day(last)
	for d := from; !p.bad; d = (d + 1) % 7 {
		set |= 1 << d
		if d == to {
			break
		}
	}
	return set
}

func (p *parser) day(b []byte) int {
	for d := 0; d < 7; d++ {
		if string(b) == weekdays[3*d:3*d+3] {
			return d
		}
	}
	p.bad = true
	return 0
}

// minute reads 09:00 as the minute of the day, to 24:00.
func (p *parser) minute(b []byte) uint16 {
	if !p.check(len(b) == 5 && b[2] == ':') {
		return 0
	}
	for _, i := range [4]int{0, 1, 3, 4} {
		p.check(b[i] >= '0' && b[i] <= '9')
	}
	hour, minute := uint16(b[0]-'0')*10+uint16(b[1]-'0'), uint16(b[3]-'0')*10+uint16(b[4]-'0')
	p.check(minute < 60 && hour*60+minute <= 1440)
	return hour*60 + minute
}

// tiers reads "100 20.5, 400 25, * 31": ends that grow, the last one open.
func (p *parser) tiers(list []byte) (tiers []tier) {
	last := uint64(0)
	p.each(list, maxTiers, func(item []byte) {
		end, price := cutLast(item)
		t := tier{end: noEnd, price: p.price(price)}
		if string(end) != "*" {
			var ok bool
			t.end, ok = parseScaled(end, maxQuantity)
			p.check(ok)
		}
		p.check(t.end > last)
		last = t.end
		tiers = append(tiers, t)
	})
	p.check(len(tiers) == 0 || last == noEnd)
	return tiers
}
