package schema

import "testing"

const occupancy = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "properties": {
    "occupied": {"type": "integer", "minimum": -1000000, "maximum": 1000000},
    "capacity": {"type": "integer", "minimum": 0}
  },
  "required": ["occupied", "capacity"]
}`

func BenchmarkCheckOccupancy(b *testing.B) {
	s, err := Compile([]byte(occupancy))
	if err != nil {
		b.Fatal(err)
	}
	value := []byte(`{"lot":"Bull Ring","occupied":231,"capacity":577}`)
	var c Checker
	b.ReportAllocs()
	steps := 0
	for b.Loop() {
		if steps, err = c.CheckValid(s, value); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(steps), "steps")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(steps), "ns/step")
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile([]byte(occupancy)); err != nil {
			b.Fatal(err)
		}
	}
}
