// Package lint holds what the compiler cannot: which package may import which,
// what code that every node must agree on may not call, and how long a function
// may be. It has tests only, and each failure says why the rule is there and
// what to do instead.
package lint
