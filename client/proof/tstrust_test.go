package proof

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// bedOf makes a set of some of the validators that tests have.
func (c *corpus) bedOf(power uint64, members ...int) *testbed {
	c.t.Helper()
	b := &testbed{secrets: map[ValidatorKey]ed25519.PrivateKey{}}
	var validators []Validator
	for _, i := range members {
		secret := validatorSecret(i)
		key := ValidatorKey(secret.Public().(ed25519.PublicKey))
		b.secrets[key] = secret
		validators = append(validators, Validator{key, power + uint64(i)})
	}
	var err error
	if b.anchor, err = NewAnchor(testChain, validators); err != nil {
		c.t.Fatal(err)
	}
	return b
}

// step leads from one set to another, signed by the first signers of those who must.
func (c *corpus) step(skip bool, height uint64, from, to *testbed, signers int) TrustStep {
	s := TrustStep{Skip: skip, TimeNs: testTimeNs + int64(height)*1e9, Next: to.anchor.Validators(),
		Commit: Commit{Height: height, Parts: PartSet{Total: 1, Hash: testHash("parts", int(height))}}}
	by, beside := from, besideNext
	if skip {
		by, beside = to, besideSkip
	}
	for i := range beside {
		s.Beside = append(s.Beside, testHash("beside", i+int(height)))
	}
	c.rng.Shuffle(len(s.Next), func(i, j int) { s.Next[i], s.Next[j] = s.Next[j], s.Next[i] })
	block := s.blockHash(testChain, to.anchor.SetHash())
	for i, v := range by.anchor.validators[:signers] {
		timeNs := s.TimeNs + int64(i)
		vote := VoteBytes(testChain, height, 0, block, s.Commit.Parts, timeNs)
		s.Commit.Signatures = append(s.Commit.Signatures, Signature{uint32(i), timeNs, [64]byte(ed25519.Sign(by.secrets[v.PubKey], vote))})
	}
	return s
}

// trusts adds trust files and paths, sound and spoilt.
func (c *corpus) trusts() {
	first, second, third, fourth := c.bedOf(10, 0, 1, 2, 3), c.bedOf(10, 1, 2, 3, 4), c.bedOf(12, 3, 4, 5), c.bedOf(10, 6, 7, 8)
	trust := NewTrust(first.anchor, 1, time.Unix(0, testTimeNs).UTC())
	file := mustJSON(c.t, trust)
	paths := map[string][]TrustStep{
		"adjacent":      {c.step(false, 5, first, second, 3), c.step(false, 9, second, third, 4)},
		"still signs":   {c.step(true, 5, first, first, 3), c.step(true, 9, first, first, 4), c.step(false, 9, first, second, 3)},
		"skipping":      {c.step(true, 5, first, second, 3), c.step(true, 30, second, third, 3), c.step(false, 31, third, fourth, 3)},
		"strangers":     {c.step(true, 5, first, fourth, 3)},
		"few strangers": {c.step(true, 5, first, third, 3)},
		"too few":       {c.step(false, 5, first, second, 2)},
		"nobody":        {c.step(false, 5, first, second, 0)},
		"backwards":     {c.step(false, 5, first, second, 3), c.step(false, 4, second, third, 4)},
		"two of one":    {c.step(true, 5, first, second, 3), c.step(true, 5, second, third, 3)},
		"none":          {},
	}
	for _, name := range slices.Sorted(maps.Keys(paths)) {
		text, err := (&TrustPath{testChain, paths[name]}).MarshalJSON()
		if err != nil {
			c.t.Fatal(err)
		}
		c.follow(name, file, text, 0)
		c.follow(name+", expired", file, text, time.Hour)
		c.follow(name+", in time", file, text, 1000*time.Hour)
		c.follow(name+", elsewhere", file, bytes.Replace(text, []byte(testChain), []byte("elsewhere"), 1), 0)
		for i := range 150 {
			c.follow(fmt.Sprintf("%s, edit %d", name, i), file, c.edited(text), 0)
		}
		for i := c.rng.IntN(150); i < 8*len(text); i += 150 {
			c.follow(fmt.Sprintf("%s, bit %d flipped", name, i), file, flipped(text, i), 0)
		}
	}
	if err := trust.Extend(paths["skipping"], time.Now(), 0); err != nil {
		c.t.Fatal(err)
	}
	long := mustJSON(c.t, trust)
	path, _ := (&TrustPath{testChain, []TrustStep{c.step(false, 50, fourth, first, 3)}}).MarshalJSON()
	c.follow("from a later point", long, path, 0)
	for i := range 300 {
		c.follow(fmt.Sprintf("trust file, edit %d", i), c.edited(long), path, 0)
	}
}

// follow adds a path and what this verifier says of it, some hours after the
// founding.
func (c *corpus) follow(name string, file, path []byte, period time.Duration) {
	c.t.Helper()
	now := time.Unix(0, testTimeNs).Add(100 * time.Hour)
	line := corpusLine{Name: "trust, " + name, Trust: file, Path: path, Now: strconv.FormatInt(now.UnixNano(), 10),
		Period: strconv.FormatInt(int64(period), 10)}
	if after, err := follow(file, path, now, period); err != nil {
		line.Error = c.check(err)
	} else {
		line.Statement = string(mustJSON(c.t, after))
	}
	c.write(line)
}

func follow(file, text []byte, now time.Time, period time.Duration) (*Trust, error) {
	trust, err := ParseTrust(file)
	if err != nil {
		return nil, err
	}
	var path TrustPath
	if err := path.UnmarshalJSON(text); err != nil {
		return nil, err
	}
	if path.ChainID != trust.ChainID() {
		return nil, ErrChain
	}
	return trust, trust.Extend(path.Steps, now, period)
}
