// The three memory functions that compiled Go code calls. They stand in for a
// libc, so that building a contract needs none; eight bytes at a time, because
// a guest pays gas for every turn of a loop.

typedef __SIZE_TYPE__ size_t;
typedef unsigned char byte;
typedef unsigned long long word;

static inline word load(const byte *p) {
	word w;
	__builtin_memcpy(&w, p, sizeof w);
	return w;
}

static inline void store(byte *p, word w) { __builtin_memcpy(p, &w, sizeof w); }

void *memcpy(void *restrict dst, const void *restrict src, size_t n) {
	byte *d = dst;
	const byte *s = src;
	for (; n >= 8; n -= 8, d += 8, s += 8)
		store(d, load(s));
	while (n--)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n) {
	byte *d = dst;
	const byte *s = src;
	if (d <= s || d >= s + n)
		return memcpy(dst, src, n);
	for (; n >= 8; n -= 8)
		store(d + n - 8, load(s + n - 8));
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int value, size_t n) {
	byte *d = dst;
	word w = (word)(byte)value * 0x0101010101010101ull;
	for (; n >= 8; n -= 8, d += 8)
		store(d, w);
	while (n--)
		*d++ = (byte)value;
	return dst;
}
